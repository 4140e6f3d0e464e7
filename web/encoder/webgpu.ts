import { withTimeout } from "../../shared/async.ts";

/** Names of software adapters: of Chromium, Mesa (two) and Windows. */
const softwareAdapters = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** Maximum ms for `requestAdapter`: a driver may hang. */
const adapterTimeout = 10_000;

/**
 * Resolves with the reason why WebGPU cannot be used, as a sentence; null if it can.
 * @param options.software whether a software adapter is accepted: it is many times slower than WASM
 */
export async function webgpuRefusal({ software }: { readonly software: boolean }): Promise<string | null> {
  // Undefined in insecure contexts and in browsers without WebGPU, despite its type.
  const gpu: GPU | undefined = navigator.gpu;
  if (!gpu) return "This browser has no WebGPU";
  const found = gpu.requestAdapter().catch(() => null);
  const adapter = await withTimeout(found, adapterTimeout, () => null).catch(() => "late" as const);
  if (adapter === "late") return `The browser did not find a graphics adapter for WebGPU within ${adapterTimeout / 1e3} seconds`;
  if (!adapter) return "The browser found no graphics adapter for WebGPU";
  const { isFallbackAdapter, vendor, architecture, device, description } = adapter.info;
  const isSoftware = isFallbackAdapter || softwareAdapters.test([vendor, architecture, device, description].join(" "));
  return isSoftware && !software ? "The only graphics adapter for WebGPU is a software adapter" : null;
}
