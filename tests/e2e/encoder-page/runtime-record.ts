/** A session created, or a run from its start to its end in ms since the epoch. */
export type RuntimeRecord = { readonly worker: string } & ({ readonly created: true } | { readonly start: number; readonly end: number });

/** Name of the BroadcastChannel on which workers tell it. */
export const runtimeChannel = "runtime";
