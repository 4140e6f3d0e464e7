/**
 * The WebAssembly engine and ONNX Runtime Web, each on one thread, with the same model. Without the API of a single platform: it runs in
 * Node.js, in a Web Worker and in an isolate.
 */
import type { Manifest } from "../shared/encoder/manifest.ts";
import { onnxSession } from "../shared/encoder/onnx-session.ts";
import { oneTextPerRun, type Session, type TokenIds } from "../shared/encoder/session.ts";
import { compileBuilds } from "../shared/engine/builds.ts";
import { loadEngine } from "../shared/engine/engine.ts";

type OnnxRuntime = typeof import("onnxruntime-web/wasm");
type Bytes = Uint8Array<ArrayBuffer>;
type Run = (texts: readonly TokenIds[]) => Promise<unknown>;

export const wasmRivals = ["engine", "onnxruntime-web"] as const;
export type WasmRival = (typeof wasmRivals)[number];

export interface RivalHost {
  readonly manifest: Manifest;
  /** Reads a file of the repository, by its path relative to the root. */
  read(path: string): Promise<Bytes>;
  importOnnxRuntime(): Promise<OnnxRuntime>;
}

/** Computes texts with the given numbers of tokens `times` times, and returns the duration in ms. The first call opens the rival. */
export type TimedRun = (lengths: readonly number[], times: number) => Promise<number>;

export function timedRun(open: () => Promise<Run>): TimedRun {
  let opening: Promise<Run> | null = null;
  return async (lengths, times) => {
    const texts = lengths.map(textOf);
    const start = performance.now();
    opening ??= open();
    const run = await opening;
    for (let i = 0; i < times; i++) await run(texts);
    return performance.now() - start;
  };
}

/** Reads all files of a rival in advance, so that the measured time does not include reading. */
export async function prepareRival(rival: WasmRival, { manifest, read, importOnnxRuntime }: RivalHost): Promise<TimedRun> {
  const { devices, weights } = manifest;
  const files = new Map<string, Bytes>();
  for (const name of [(rival === "engine" ? devices.wasm : devices.native).file, ...weights]) {
    files.set(name, await read(`models/${manifest.id}/${name}`));
  }
  const load = async (name: string): Promise<Bytes> => {
    const bytes = files.get(name);
    if (!bytes) throw new Error(`${name} was not read`);
    return bytes;
  };
  if (rival === "engine") {
    const readBuild = (build: string) => read(`dist/engine/${build}.wasm`);
    const modules = { plain: await readBuild("plain"), checked: await readBuild("checked"), relaxed: await readBuild("relaxed") };
    return timedRun(async () => {
      const [fastest] = await compileBuilds(modules);
      if (!fastest) throw new Error("compileBuilds gave no build");
      const files = { parameters: devices.wasm.file, shards: weights, load };
      const engine = await loadEngine(fastest.module, fastest.build, manifest, files);
      return async (texts) => engine.run(texts);
    });
  }
  const { buffer } = await read("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
  return timedRun(async () => oneByOne(await openOnnxSession(await importOnnxRuntime(), manifest, load, buffer)));
}

/** Runs texts one by one, for a graph that requires equal lengths. */
function oneByOne(session: Session): Run {
  return async (texts) => {
    for (const ids of texts) await session.run([ids]);
  };
}

/** cpu.onnx on ONNX Runtime Web. */
export async function openOnnxSession(
  { env, InferenceSession, Tensor }: OnnxRuntime,
  { devices: { native }, weights }: Manifest,
  load: (name: string) => Promise<Bytes>,
  wasm: ArrayBuffer,
): Promise<Session> {
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasm;
  const externalData: { path: string; data: Bytes }[] = [];
  for (const path of weights) externalData.push({ path, data: await load(path) });
  const runtime = await InferenceSession.create(await load(native.file), {
    executionProviders: ["wasm"],
    externalData,
    // Memory patterns would store one plan for each text length.
    enableMemPattern: false,
    logSeverityLevel: 3,
  });
  return onnxSession({ runtime, Tensor, inputs: native.inputs, device: "wasm", batch: oneTextPerRun });
}

/** `[CLS]`, arbitrary words of the vocabulary, `[SEP]`. */
function textOf(tokens: number): TokenIds {
  return [101, ...Array.from({ length: tokens - 2 }, (_, i) => 1996 + ((i * 7919) % 20_000)), 102];
}
