import type { Encoder } from "../../../shared/encoder/encoder.ts";
import type { DeviceChoice } from "../../../web/encoder/device-router.ts";
import { createEncoder } from "../../../web/encoder/encoder.ts";
import { type HubPoolOptions, openHubPool } from "../../../web/encoder/hub-pool.ts";

/** A pool, and what it has told. */
export interface OpenedPool {
  readonly pool: Encoder;
  readonly choices: readonly DeviceChoice[];
  readonly progress: readonly { readonly loaded: number; readonly total: number; readonly stored: number }[];
  readonly kept: readonly boolean[];
}

declare global {
  interface Window {
    createEncoder: typeof createEncoder;
    openPool(options: Pick<HubPoolOptions, "model" | "hubUrl"> & Partial<HubPoolOptions>): Promise<OpenedPool>;
    opened?: OpenedPool;
  }
}

window.createEncoder = createEncoder;
window.openPool = async (options) => {
  const choices: DeviceChoice[] = [];
  const progress: OpenedPool["progress"][number][] = [];
  const kept: boolean[] = [];
  const pool = await openHubPool({
    device: "auto",
    workers: 1,
    interactiveWorkers: 0,
    loadTimeout: 60_000,
    runTimeout: 60_000,
    loadRuntime: async () => (await fetch("runtimes/webgpu.bin")).blob(),
    onDevice: (choice) => choices.push(choice),
    onProgress: (told) => progress.push(told),
    onKept: (told) => kept.push(told),
    signal: new AbortController().signal,
    ...options,
  });
  window.opened = { pool, choices, progress, kept };
  return window.opened;
};
