import type { AssetFile } from "./download.ts";

/** Put in by the bundler: see build/webgpu-runtime.ts. Part of the script, because script and runtime must be of one version. */
declare const packedWebgpuRuntime: AssetFile;

/** ONNX Runtime's WASM in its build for WebGPU, compressed. Its `file` is relative to the assets' folder `runtimes`. */
export const webgpuRuntime = packedWebgpuRuntime;
