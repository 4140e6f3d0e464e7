/** What an import of WASM is at the edge: the bundler compiles it, and the isolate is handed the module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
