/** What a worker's runtime did: a session created, or a run from its start to its end in ms since the epoch, with the memory of the engine. */
export type RuntimeRecord = { readonly worker: string } & (
  | { readonly created: string }
  | { readonly compiled: true }
  | { readonly began: number }
  | { readonly start: number; readonly end: number; readonly memoryBytes?: number }
);

/** How a simulated graphics device fails: at its load, or in the middle of the first call after it was chosen. */
type GpuFailure =
  | "load"
  | "hang at load"
  | "wrong vectors"
  | "wrong vectors of long texts"
  | "lost"
  | "uncaptured"
  | "hang"
  | "not finite"
  | "crash";

/** What a test has the graphics device be. */
export interface Scenario {
  /** `simulated` computes the gpu graph on WASM, and gives what it has computed before at once: faster than any processor. */
  readonly gpu: "real" | "simulated" | "simulated, slow";
  readonly failure?: GpuFailure;
  /** Print the runtime's profile after each run. */
  readonly profile?: boolean;
}

/** Names of the BroadcastChannels: what workers tell, what they ask the page, and what the page has them do. */
export const runtimeChannel = "runtime";
export const scenarioChannel = "scenario";
export const destroyChannel = "destroy";
