/** A process in which a rival computes: prepares it at the first message, and answers each with what its texts took. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { importNativeRuntime, openNativeSession } from "../api/node/native-session.ts";
import { prepareRival, type TimedRun, timedRun, type WasmRival } from "./engine-rivals.ts";
import { modelDirectory, readManifest } from "./environment.ts";

export interface EngineJob {
  readonly rival: WasmRival | "onnxruntime-node";
  readonly lengths: readonly number[];
  /** 0 prepares the rival alone. */
  readonly times: number;
}

export interface EngineAnswer {
  readonly ms: number;
  /** Of all threads. */
  readonly cpuMs: number;
}

process.once("disconnect", () => process.exit());
process.on("message", async ({ rival, lengths, times }: EngineJob) => {
  preparing ??= prepare(rival);
  const run = await preparing;
  if (times === 0) return process.send?.({ ms: 0, cpuMs: 0 } satisfies EngineAnswer);
  const before = process.cpuUsage();
  const ms = await run(lengths, times);
  const { user, system } = process.cpuUsage(before);
  return process.send?.({ ms, cpuMs: (user + system) / 1e3 } satisfies EngineAnswer);
});

let preparing: Promise<TimedRun> | undefined;

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
