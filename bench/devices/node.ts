import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { createEncoder } from "../../api/node/encoder.ts";
import { modelOf, openedBundledModel } from "../../shared/encoder/bundled-model.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { onnxSession } from "../../shared/encoder/onnx-session.ts";
import { oneTextPerRun } from "../../shared/encoder/session.ts";
import { createTokenizer } from "../../shared/encoder/tokenizer.ts";
import { type PeerModel, Unavailable } from "../contenders/contender.ts";
import { modelDirectory, readManifest } from "../environment.ts";
import type { MeasuredDevice } from "./device.ts";

/** The pool, on two worker threads. */
export async function openNode(device: "native" | "wasm"): Promise<MeasuredDevice> {
  return deviceOf(createEncoder({ workers: 2, device }));
}

/** A session's threads wait for each other without keeping their cores busy: on a busy machine that takes most of the time. */
const patientThreads = { intra_op: { allow_spinning: "0" } };

/** As shared/encoder/sessions/webgpu.ts has it. */
const gpuBatch = { texts: 32, tokens: 4096, lengthStep: 32 };

/**
 * Our graph for WebGPU in ONNX Runtime for Node: the same float32 arithmetic and the same batches, without the GPU. It
 * stands for WebGPU where there is no graphics hardware, as far as a graph goes and kernels do not.
 */
export async function openGpuGraph(): Promise<MeasuredDevice> {
  const manifest = await readManifest();
  const { file, inputs } = manifest.devices.webgpu;
  const open: OpenModel = async () => {
    const runtime = await InferenceSession.create(fileURLToPath(new URL(file, modelDirectory)), {
      executionProviders: ["cpu"],
      enableMemPattern: false,
      // As on WebGPU: the weights become float32 once, at load.
      extra: { session: { disable_quant_qdq: "1", ...patientThreads } },
    });
    // The device is that of the vectors that the self-test expects.
    const session = onnxSession({ runtime, Tensor, inputs, device: "webgpu", batch: gpuBatch });
    return openedBundledModel(manifest, async (name) => new Uint8Array(await readFile(new URL(name, modelDirectory))), session, null);
  };
  return deviceOf(createSessionEncoder(open));
}

/** The published float32 graph through ONNX Runtime, one text per run. Needs a folder that holds `onnx/model.onnx`. */
export async function openPublished(peer: PeerModel): Promise<MeasuredDevice> {
  if (!("directory" in peer)) throw new Unavailable("it reads the published graph from a folder named by --peer-model");
  const { directory } = peer;
  const readJson = async (name: string) => JSON.parse(await readFile(join(directory, name), "utf8"));
  const manifest = await readManifest();
  const runtime = await InferenceSession.create(join(directory, "onnx/model.onnx"), {
    enableMemPattern: false,
    extra: { session: patientThreads },
  }).catch((cause: unknown) => {
    throw new Unavailable("the folder named by --peer-model has no onnx/model.onnx", { cause });
  });
  const tokenizer = createTokenizer(await readJson("tokenizer.json"), await readJson("tokenizer_config.json"));
  const inputs = ["input_ids", "attention_mask", "token_type_ids"];
  const pooled = {
    // The vector of [CLS], the first token, is the text's.
    async run(feeds: Parameters<InferenceSession["run"]>[0]) {
      const { last_hidden_state: hidden } = await runtime.run(feeds);
      if (!(hidden?.data instanceof Float32Array)) throw new TypeError("the graph gave no float32 tensor named last_hidden_state");
      const [, , width = 0] = hidden.dims;
      return { pooled: new Tensor("float32", hidden.data.slice(0, width), [1, width]) };
    },
    release: () => runtime.release(),
  };
  return deviceOf(
    createSessionEncoder(async () => ({
      model: modelOf(manifest),
      tokenizer,
      session: onnxSession({ runtime: pooled, Tensor, inputs, device: "native", batch: oneTextPerRun }),
      selfTest: null,
      otherwise: null,
    })),
  );
}

async function deviceOf(encoder: Encoder): Promise<MeasuredDevice> {
  await encoder.load();
  return {
    embed: async (texts, inputType) => (await encoder.embed(texts, { inputType })).vectors,
    [Symbol.asyncDispose]: () => encoder.dispose(),
  };
}
