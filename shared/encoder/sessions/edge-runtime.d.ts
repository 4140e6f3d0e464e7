/** What an import of WASM is at the edge: the bundler compiles it, and the isolate is handed the module. */
declare module "onnxruntime-web/ort-wasm-simd-threaded.wasm" {
  const runtime: WebAssembly.Module;
  export default runtime;
}
