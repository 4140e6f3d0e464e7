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

/** Where a hub model computes in a page. */
export type HubDevice = "wasm" | "webgpu";

/** A hub model as a worker is handed it: all its files are there. */
export interface HubModelFiles {
  readonly model: Model;
  /** By their names in the repository. */
  readonly files: ReadonlyMap<string, Blob>;
  readonly device: HubDevice;
}

/** Under which transformers.js asks for the files; it is no address. */
const folder = "model/files";

/**
 * Texts whose vectors on WebGPU are compared with those on WASM, of less and of more than 32 tokens: the runtime has other kernels for
 * those.
 */
const probes = ["How do the tides of the sea come and go?", "The moon pulls at the sea and the sea follows it. ".repeat(4)];

/** Both compute in float32: what is below has a fault. */
const minCosine = 0.999;

/**
 * Opens a sentence-transformers model of the Hugging Face hub in a browser's worker, through transformers.js, in float32. It fetches
 * nothing. On WebGPU the model must give the vectors that the same graph gives on WASM; and the session fails, and with it the worker,
 * as soon as the graphics device is lost. Once a realm.
 * @param loadRuntime gives ONNX Runtime's WASM, in its build for WebGPU, which computes on WASM too
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
    runtime.forgetBinary();
    if (device === "wasm") return { model, tokenizer, session: onWasm, selfTest: null, otherwise: null };

    const selfTest = await knownVectors(onWasm, model, tokenizer);
    await onWasm.dispose();
    const onWebgpu = await withoutSubgroups(() => openSession(prepared, "webgpu", tokenizer));
    return { model, tokenizer, session: guarded(onWebgpu, await runtime.graphicsDevice()), selfTest, otherwise: null };
  };
}

/** Has transformers.js find the files in what this worker was handed, and nothing anywhere else. */
function serveFiles(files: ReadonlyMap<string, Blob>): void {
  // When a run fails it logs the token ids, which are the user's text.
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
    throw new EncoderError("internal", "transformers.js has nothing to fetch");
  };
}

/** Has ONNX Runtime compute with our copy of its WASM, on one thread: transformers.js names one of a public CDN. */
async function useRuntime(loadRuntime: () => Promise<ArrayBuffer>) {
  const { wasm, webgpu } = env.backends.onnx;
  if (!wasm || !webgpu) throw new EncoderError("internal", "transformers.js has come without ONNX Runtime's build for browsers");
  delete wasm.wasmPaths;
  wasm.numThreads = 1;
  wasm.wasmBinary = await loadRuntime();
  return {
    /** Once a session is there the binary is compiled. */
    forgetBinary: () => {
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
    // transformers.js would go by config.json, which may name other parts than those that are there.
    use_external_data_format: false,
    session_options: {
      // Texts differ in length: memory patterns would keep one plan for each length seen.
      enableMemPattern: false,
      // The graph names them relative to its own folder.
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
