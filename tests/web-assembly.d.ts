/** What the tests use of it: the types of Node 20 name it, but do not have it. */
declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: "WebAssembly.Module";
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  interface Instance {
    readonly exports: { readonly [name: string]: unknown };
  }
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;
  readonly Memory: new (descriptor: object) => WebAssembly.Memory;
  readonly Instance: new (module: WebAssembly.Module) => WebAssembly.Instance;
  instantiate(module: WebAssembly.Module, imports: object): Promise<WebAssembly.Instance>;
};
