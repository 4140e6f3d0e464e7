import { AutoModel, AutoTokenizer, env, LogLevel, Tensor } from "@huggingface/transformers";
import type { Model } from "../../shared/encoder/encoder.ts";
import type { OpenedModel, OpenModel, SelfTest } from "../../shared/encoder/model-runner.ts";
import type { Session } from "../../shared/encoder/session.ts";
import { type Tokenizer, tokenizerOf } from "../../shared/encoder/tokenizer.ts";
import { EncoderError } from "../../shared/errors.ts";
import { graphFile } from "../../shared/hub/repository.ts";
import { openHubSession } from "../../shared/hub/session.ts";
import { finishVector } from "../../shared/vector.ts";
import { guarded, withoutSubgroups } from "./graphics-device.ts";

/** A device for hub models in a page. */
export type HubDevice = "wasm" | "webgpu";

/** A complete hub model, as it is posted to a worker. */
export interface HubModelFiles {
  readonly model: Model;
  /** Files by their names in the repository. */
  readonly files: ReadonlyMap<string, Blob>;
  readonly device: HubDevice;
}

/** The path under which transformers.js requests the files. It is not a URL. */
const folder = "model/files";

/**
 * Texts whose WebGPU vectors are compared with their WASM vectors. One has less and one more than 32 tokens, for which the runtime uses
 * different kernels.
 */
const probes = ["How do the tides of the sea come and go?", "The moon pulls at the sea and the sea follows it. ".repeat(4)];

/** Minimum cosine of the two. Both compute in float32, so a lower one is an error. */
const minCosine = 0.999;

/**
 * Opens a sentence-transformers model of the Hugging Face hub in a Web Worker, with transformers.js in float32, without any request. The
 * self-test of a WebGPU session compares its vectors with those of the same graph on WASM. When the graphics device is lost, the session
 * and its worker fail immediately. To be called once per worker, since transformers.js has global settings.
 * @param loadRuntime returns ONNX Runtime's WASM, WebGPU build, which also computes on WASM
 * @example
 * exposeEncoder<HubModelFiles>((prepared) => openHubModelInWorker(prepared, loadRuntime));
 */
export function openHubModelInWorker(prepared: HubModelFiles, loadRuntime: () => Promise<ArrayBuffer>): OpenModel {
  return async (): Promise<OpenedModel> => {
    const { model, files, device } = prepared;
    serveFiles(files);
    const runtime = await useRuntime(loadRuntime);
    const tokenizer = tokenizerOf((await AutoTokenizer.from_pretrained(folder))._tokenizer);
    const onWasm = await openSession(prepared, "wasm", tokenizer);
    runtime.releaseBinary();
    if (device === "wasm") return { model, tokenizer, session: onWasm, selfTest: null, otherwise: null };

    const selfTest = await knownVectors(onWasm, model, tokenizer);
    await onWasm.dispose();
    const onWebgpu = await withoutSubgroups(() => openSession(prepared, "webgpu", tokenizer));
    return { model, tokenizer, session: guarded(onWebgpu, await runtime.graphicsDevice()), selfTest, otherwise: null };
  };
}

/** Makes transformers.js read the files that were posted to this worker, and nothing else. */
function serveFiles(files: ReadonlyMap<string, Blob>): void {
  // transformers.js logs the token ids of a failed run, which reveal the user's text.
  env.logLevel = LogLevel.NONE;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "";
  env.useBrowserCache = false;
  env.useWasmCache = false;
  env.useCustomCache = true;
  env.customCache = {
    async match(path) {
      const [, name = ""] = path.split(`${folder}/`);
      const file = files.get(name);
      return file && new Response(file);
    },
    put: async () => {},
  };
  env.fetch = async () => {
    throw new EncoderError("internal", "transformers.js must not fetch files");
  };
}

/** Makes ONNX Runtime use the given WASM, on one thread. By default, transformers.js loads it from a public CDN. */
async function useRuntime(loadRuntime: () => Promise<ArrayBuffer>) {
  const { wasm, webgpu } = env.backends.onnx;
  if (!wasm || !webgpu) throw new EncoderError("internal", "transformers.js was built without ONNX Runtime Web");
  delete wasm.wasmPaths;
  wasm.numThreads = 1;
  wasm.wasmBinary = await loadRuntime();
  return {
    /** To be called after the first session was created, which compiles the binary. */
    releaseBinary: () => {
      delete wasm.wasmBinary;
    },
    graphicsDevice: async () => webgpu.device,
  };
}

async function openSession({ model, files }: HubModelFiles, device: HubDevice, tokenizer: Tokenizer): Promise<Session> {
  const externalData = [...files].filter(([name]) => name.startsWith(`${graphFile}_data`));
  const loaded = await AutoModel.from_pretrained(folder, {
    device,
    dtype: "fp32",
    // By default, transformers.js follows config.json, which may list parts that do not exist.
    use_external_data_format: false,
    session_options: {
      // Memory patterns would store one plan for each text length.
      enableMemPattern: false,
      // The graph refers to these files relative to its own folder.
      externalData: await Promise.all(
        externalData.map(async ([name, file]) => ({
          path: name.slice(name.lastIndexOf("/") + 1),
          data: new Uint8Array(await file.arrayBuffer()),
        })),
      ),
    },
  });
  return openHubSession({ model: loaded, Tensor }, device, model, tokenizer);
}

async function knownVectors(session: Session, model: Model, tokenizer: Tokenizer): Promise<SelfTest> {
  const inputType = "passage";
  const rows: SelfTest["rows"][number][] = [];
  for (const text of probes) {
    const ids = tokenizer.encode(model.prompts[inputType] + text);
    if (ids.length > model.maxTokens) continue;
    const [pooled] = await session.run([ids]);
    if (pooled) rows.push({ inputType, text, vector: finishVector(pooled, model.dimensions, true) });
  }
  return { minCosine, rows };
}
