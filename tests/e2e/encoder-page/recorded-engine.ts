import { type Engine, loadEngine as loadRealEngine } from "../../../shared/engine/engine.ts";
import { tell, worker } from "./recording.ts";

export { runLimits } from "../../../shared/engine/engine.ts";

const now = () => performance.timeOrigin + performance.now();

/** The real engine, which tells the page what it does. */
export const loadEngine: typeof loadRealEngine = async (...model): Promise<Engine> => {
  const engine = await loadRealEngine(...model);
  tell({ worker, created: "wasm" });
  return {
    ...engine,
    run(texts) {
      const start = now();
      tell({ worker, began: start });
      const vectors = engine.run(texts);
      tell({ worker, start, end: now(), memoryBytes: engine.memoryBytes });
      return vectors;
    },
  };
};
