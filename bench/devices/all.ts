import type { PeerModel } from "../contenders/contender.ts";
import type { PageServer } from "../page-server.ts";
import type { DeviceSource } from "./device.ts";

/** Where the encoder runs, after the model that all are made of. */
export function allDevices(server: PageServer, peer: PeerModel): DeviceSource[] {
  // Each is imported when it is opened: runtimes and browsers that are not asked for are not loaded.
  const inChromium = async (device: "wasm" | "webgpu") => (await import("./chromium.ts")).openChromium(server, device);
  return [
    { id: "published", label: "published model, float32", open: async () => (await import("./node.ts")).openPublished(peer) },
    { id: "node", label: "**Node**, 2 workers", open: async () => (await import("./node.ts")).openNode() },
    { id: "wasm", label: "**Chromium, WASM**, 2 workers", open: () => inChromium("wasm") },
    { id: "edge", label: "**edge**, workerd", open: async () => (await import("./edge.ts")).openEdge() },
    {
      id: "gpu-graph",
      label: "graph for WebGPU, computed on the CPU",
      open: async () => (await import("./node.ts")).openGpuGraph(),
    },
    { id: "webgpu", label: "**Chromium, WebGPU**", slow: { tokens: 16, texts: 6 }, open: () => inChromium("webgpu") },
  ];
}
