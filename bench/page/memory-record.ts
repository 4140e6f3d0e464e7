/** Name of the BroadcastChannel by which the page asks its workers for their WASM memory, and they answer. */
export const memoryChannel = "wasm-memory";

/** All WASM memory that a worker has, in bytes. */
export interface MemoryRecord {
  readonly bytes: number;
}
