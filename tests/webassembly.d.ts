/** What the tests use of it. Neither `@types/node` nor the compiler's `lib` has it without the DOM. */
declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
  function instantiate(module: Module, imports: object): Promise<{ readonly exports: object }>;
}
