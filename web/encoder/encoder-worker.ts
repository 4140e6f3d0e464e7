import checked from "../../dist/engine/checked.wasm?url&inline";
import plain from "../../dist/engine/plain.wasm?url&inline";
import relaxed from "../../dist/engine/relaxed.wasm?url&inline";
import type { LoadFile } from "../../shared/encoder/bundled-model.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { openWasmModel } from "../../shared/encoder/wasm-model.ts";
import { exposeEncoder } from "../../shared/encoder/worker.ts";
import { EncoderError } from "../../shared/errors.ts";
import { bytesOfDataUrl } from "./data-url.ts";
import { inflate } from "./inflate.ts";
import type { PreparedModel } from "./page-pool.ts";

exposeEncoder<PreparedModel>(({ device, manifest, files, runtime }): OpenModel => {
  // Verified when they were downloaded.
  const load: LoadFile = async (name) => {
    const file = files.get(name);
    if (!file) throw new EncoderError("internal", `The worker was not given ${name}`);
    return new Uint8Array(await file.arrayBuffer());
  };
  if (device === "wasm") {
    return openWasmModel({
      manifest,
      load,
      modules: { plain: bytesOfDataUrl(plain), checked: bytesOfDataUrl(checked), relaxed: bytesOfDataUrl(relaxed) },
    });
  }
  return async () => {
    if (!runtime) throw new EncoderError("internal", "The worker was not given ONNX Runtime");
    // Loads ONNX Runtime's script only on WebGPU.
    const { openWebgpuModel } = await import("./webgpu-model.ts");
    return openWebgpuModel({ manifest, load, loadRuntime: () => inflate(runtime) })();
  };
});

/** The bytes of a `data:` URL. The engine (20 kB) is inlined, so that the script needs no file beside it. */
