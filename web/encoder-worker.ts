import webgpuRuntime from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import wasmRuntime from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { openWebModel } from "../shared/encoder/sessions/web.ts";
import { exposeEncoder } from "../shared/encoder/worker.ts";
import { EncoderError } from "../shared/errors.ts";
import type { PreparedModel } from "./encoder.ts";

const runtimes = { wasm: wasmRuntime, webgpu: webgpuRuntime };

exposeEncoder<PreparedModel>(({ device, manifest, files }) =>
  openWebModel({
    device,
    manifest,
    runtime: runtimes[device],
    async load(name) {
      const file = files.get(name);
      if (!file) throw new EncoderError("internal", `The worker was not given ${name}`);
      return new Uint8Array(await file.arrayBuffer());
    },
  }),
);
