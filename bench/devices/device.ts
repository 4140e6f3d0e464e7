import type { InputType } from "../../shared/encoder/encoder.ts";

/** Somewhere that the encoder runs, as a benchmark of vectors drives it. */
export interface MeasuredDevice extends AsyncDisposable {
  /**
   * Texts to L2-normalized vectors in their order, in one call (at the edge, in as few as its limit allows). Calls may
   * overlap: what that does to vectors is what is measured.
   */
  embed(texts: readonly string[], inputType: InputType): Promise<Float32Array[]>;
}

/** A device, known before it is started. */
export interface DeviceSource {
  readonly id: DeviceId;
  /** For tables. */
  readonly label: string;
  /** It takes seconds for a short text: only texts of at most so many tokens are asked for, and few of them. */
  readonly slow?: { readonly tokens: number; readonly texts: number };
  /** Rejects with `Unavailable` when what it needs is not there. */
  open(): Promise<MeasuredDevice>;
}

export const deviceIds = ["published", "native", "gpu-graph", "wasm", "page", "edge", "webgpu"] as const;

export type DeviceId = (typeof deviceIds)[number];
