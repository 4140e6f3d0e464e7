/** Web Worker of a rival. The benchmark calls `prepare`, then `compute`. */
import type { Manifest } from "../shared/encoder/manifest.ts";
import { prepareRival, type TimedRun, type WasmRival } from "./engine-rivals.ts";

declare global {
  /** Globals of the worker. */
  var prepare: (rival: WasmRival, manifest: Manifest) => Promise<void>;
  var compute: TimedRun;
}

/** Imported by path: workers have no import map. */
const onnxRuntime = "/node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs";

globalThis.prepare = async (rival, manifest) => {
  globalThis.compute = await prepareRival(rival, {
    manifest,
    read: async (path) => new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer()),
    importOnnxRuntime: () => import(onnxRuntime),
  });
};
