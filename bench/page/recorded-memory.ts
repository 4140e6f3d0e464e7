import { type MemoryRecord, memoryChannel } from "./memory-record.ts";

const memories: WebAssembly.Memory[] = [];

/** Both runtimes create their memory in JavaScript and hand it to their WASM. */
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }
};

const channel = new BroadcastChannel(memoryChannel);
channel.addEventListener("message", ({ data }) => {
  if (data !== "ask" || memories.length === 0) return;
  const bytes = memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  channel.postMessage({ bytes } satisfies MemoryRecord);
});
