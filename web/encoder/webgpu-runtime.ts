import type { FileDigest } from "../../shared/encoder/manifest.ts";

/** A file by its name and what it must be. */
export interface AssetFile extends FileDigest {
  readonly file: string;
}

/** Put in by the bundler: see build/webgpu-runtime.ts. Part of the script, because script and runtime must be of one version. */
declare const packedWebgpuRuntime: AssetFile;

/** ONNX Runtime's WASM in its build for WebGPU, compressed. Its `file` is relative to the assets' folder `runtimes`. */
export const webgpuRuntime = packedWebgpuRuntime;
