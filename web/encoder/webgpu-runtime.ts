import type { FileDigest } from "../../shared/encoder/manifest.ts";

/** A file with its expected size and SHA-256. */
export interface AssetFile extends FileDigest {
  readonly file: string;
}

/** Defined by the bundler: see build/webgpu-runtime.ts. It is part of the script, because script and runtime must have the same version. */
declare const packedWebgpuRuntime: AssetFile;

/** ONNX Runtime's WASM, WebGPU build, gzip-compressed. `file` is relative to the folder `runtimes` of the assets. */
export const webgpuRuntime = packedWebgpuRuntime;
