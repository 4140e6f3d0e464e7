/** Names under which adapters that compute on the CPU are known: of Chromium, Mesa (two) and Windows. */
const softwareAdapters = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** How long a browser may look for an adapter, in ms: a driver that hangs must not hold the page up. */
const adapterTimeout = 10_000;

/**
 * Why WebGPU cannot be used here, in a sentence; null where it can.
 * @param options.software whether an adapter that computes on the CPU will do: it is many times slower than WASM
 */
export async function webgpuRefusal({ software }: { readonly software: boolean }): Promise<string | null> {
  // Not there in insecure contexts and in browsers without WebGPU, whatever the types say.
  const gpu: GPU | undefined = navigator.gpu;
  if (!gpu) return "This browser has no WebGPU";
  const adapter = await inTime(
    gpu.requestAdapter().catch(() => null),
    adapterTimeout,
  );
  if (adapter === "late") return `The browser did not find a graphics adapter for WebGPU within ${adapterTimeout / 1e3} seconds`;
  if (!adapter) return "The browser found no graphics adapter for WebGPU";
  const { isFallbackAdapter, vendor, architecture, device, description } = adapter.info;
  const isSoftware = isFallbackAdapter || softwareAdapters.test([vendor, architecture, device, description].join(" "));
  return isSoftware && !software ? "The only graphics adapter for WebGPU is computed in software" : null;
}

function inTime<T>(promise: Promise<T>, timeout: number): Promise<T | "late"> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(resolve, timeout, "late");
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
