/** Type of an imported .wasm file: the bundler compiles it to a module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
