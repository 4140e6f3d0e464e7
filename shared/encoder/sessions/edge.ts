import runtime from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { bundledModel, type LoadFile } from "../bundled.ts";
import type { OpenModel } from "../encoder.ts";
import { parseManifest } from "../manifest.ts";
import { equalLengthsPerRun } from "../session.ts";
import { onnxSession } from "./onnx.ts";

/**
 * Opens a bundled model in an edge isolate (workerd), on its one thread.
 *
 * An isolate has 128 MB. Weights given as ONNX external data leave 55 MB of WASM memory after the load, the same weights
 * inside the graph twice that. Do not set `session.use_ort_model_bytes_for_initializers`: onnxruntime-web frees the bytes
 * that it then reads.
 *
 * All files are fetched before the runtime is touched, and from then on nothing waits for input or output.
 * @param load fetches one of the model's files, `manifest.json` among them
 */
export function openEdgeModel(load: LoadFile): OpenModel {
  return async (options) => {
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(await load("manifest.json"))));
    const open = bundledModel({
      manifest,
      load,
      graph: "cpu",
      // Saturation is a fault of x86 instructions that WebAssembly's SIMD does not use.
      exactProductsMayHelp: false,
      async createSession({ graph, load: loadChecked }) {
        // One after the other: a file that is still arriving may take twice its size.
        const model = await loadChecked(graph.file);
        const externalData: { path: string; data: Uint8Array<ArrayBuffer> }[] = [];
        for (const path of manifest.weights) externalData.push({ path, data: await loadChecked(path) });
        const session = await withCompiledRuntime(() =>
          InferenceSession.create(model, {
            executionProviders: ["wasm"],
            externalData,
            enableCpuMemArena: false,
            // Texts differ in length: memory patterns would keep one plan for each length seen.
            enableMemPattern: false,
          }),
        );
        // The runtime has copies of its own. A garbage collector may take its time, and the isolate is filled meanwhile.
        for (const { buffer } of [model, ...externalData.map(({ data }) => data)]) buffer.transfer(0);
        return onnxSession({ runtime: session, Tensor, inputs: graph.inputs, device: "edge", batch: equalLengthsPerRun });
      },
    });
    return open(options);
  };
}

/**
 * Runs `create` while `WebAssembly.instantiate` answers ONNX Runtime's call with the module that wrangler compiled.
 *
 * onnxruntime-web takes its WASM as bytes or by URL and compiles it itself, which an isolate forbids. It is handed
 * bytes that are never compiled; by them its call is told from any other. Once it is initialized it does not ask again.
 */
async function withCompiledRuntime<Result>(create: () => Promise<Result>): Promise<Result> {
  const placeholder = new ArrayBuffer(1);
  env.wasm.wasmBinary = placeholder;
  env.wasm.numThreads = 1;
  // Without its overloads: what it is called with is passed on as it came.
  const instantiate = WebAssembly.instantiate as (source: unknown, imports?: unknown) => Promise<unknown>;
  const answerWithRuntime = async (source: unknown, imports?: unknown): Promise<unknown> =>
    ArrayBuffer.isView(source) && source.buffer === placeholder
      ? { module: runtime, instance: await instantiate(runtime, imports) }
      : instantiate(source, imports);
  Object.assign(WebAssembly, { instantiate: answerWithRuntime });
  try {
    return await create();
  } finally {
    Object.assign(WebAssembly, { instantiate });
  }
}
