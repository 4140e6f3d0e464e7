import { type PeerModel, Unavailable } from "../contenders/contender.ts";
import type { PageServer } from "../page-server.ts";
import type { DeviceId, DeviceSource } from "./device.ts";

/**
 * Where the encoder runs, after the model that all are made of.
 * @param asked what is to be measured; the others are reported as skipped. Default: all
 */
export function allDevices(server: PageServer, peer: PeerModel, asked: readonly DeviceId[] | undefined): DeviceSource[] {
  // Each is imported when it is opened: runtimes and browsers that are not asked for are not loaded.
  const inChromium = async (device: "wasm" | "webgpu") => (await import("./chromium.ts")).openChromium(server, device);
  const all: DeviceSource[] = [
    { id: "published", label: "published model, float32", open: async () => (await import("./node.ts")).openPublished(peer) },
    { id: "native", label: "**Node, native**, 2 workers", open: async () => (await import("./node.ts")).openNode("native") },
    { id: "wasm", label: "**Node, WASM**, 2 workers", open: async () => (await import("./node.ts")).openNode("wasm") },
    { id: "page", label: "**Chromium, WASM**, 2 workers", open: () => inChromium("wasm") },
    { id: "edge", label: "**edge**, workerd", open: async () => (await import("./edge.ts")).openEdge() },
    {
      id: "gpu-graph",
      label: "graph for WebGPU, computed on the CPU",
      open: async () => (await import("./node.ts")).openGpuGraph(),
    },
    { id: "webgpu", label: "**Chromium, WebGPU**", slow: { tokens: 16, texts: 6 }, open: () => inChromium("webgpu") },
  ];
  const notAsked = () => Promise.reject(new Unavailable("it was not asked for"));
  return all.map((device) => (asked && !asked.includes(device.id) ? { ...device, open: notAsked } : device));
}
