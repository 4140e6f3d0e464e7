/**
 * The web-standard globals that browsers, Node.js and edge isolates have in common. `shared/` is compiled with these declarations instead
 * of the types of the DOM and Node.js, so it cannot use the API of a single platform.
 */

declare class AbortSignal {
  private constructor();
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  decode(bytes: Uint8Array): string;
}

declare class URL {
  static canParse(url: string): boolean;
  constructor(url: string | URL, base?: string | URL);
  readonly href: string;
  readonly origin: string;
  readonly pathname: string;
}

declare const performance: { now(): number };
declare const crypto: {
  readonly subtle: { digest(algorithm: "SHA-256", data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
};

declare function setTimeout(callback: () => void, delay?: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare function atob(base64: string): string;
declare function btoa(binary: string): string;

declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
  function instantiate(module: Module, imports: object): Promise<{ readonly exports: object }>;
}
