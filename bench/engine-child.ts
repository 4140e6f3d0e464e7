/** Process of a rival. The first message prepares the rival. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { importNativeRuntime, openNativeSession } from "../api/node/native-session.ts";
import { answerMessages } from "./child.ts";
import { prepareRival, type TimedRun, timedRun, type WasmRival } from "./engine-rivals.ts";
import { modelDirectory, readManifest } from "./environment.ts";
import { ownCpuSeconds } from "./usage.ts";

export interface EngineJob {
  readonly rival: WasmRival | "onnxruntime-node";
  readonly lengths: readonly number[];
  /** Number of repetitions; 0 only reads the rival's files. */
  readonly times: number;
}

/** Processor time of all threads. */
export type EngineAnswer = { readonly ms: number; readonly cpuMs: number };

let preparing: Promise<TimedRun> | undefined;

answerMessages(async ({ rival, lengths, times }: EngineJob): Promise<EngineAnswer> => {
  preparing ??= prepare(rival);
  const run = await preparing;
  if (times === 0) return { ms: 0, cpuMs: 0 };
  const before = ownCpuSeconds();
  const ms = await run(lengths, times);
  return { ms, cpuMs: (ownCpuSeconds() - before) * 1e3 };
});

async function prepare(rival: EngineJob["rival"]): Promise<TimedRun> {
  const manifest = await readManifest();
  if (rival === "onnxruntime-node") {
    return timedRun(async () => {
      const session = await openNativeSession(await importNativeRuntime(), manifest, fileURLToPath(modelDirectory), false);
      return (texts) => session.run(texts);
    });
  }
  return prepareRival(rival, {
    manifest,
    read: async (path) => new Uint8Array(await readFile(new URL(`../../${path}`, import.meta.url))),
    importOnnxRuntime: () => import("onnxruntime-web/wasm"),
  });
}
