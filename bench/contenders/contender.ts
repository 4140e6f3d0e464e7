/** Texts to L2-normalized vectors, in order: what a contender does while it is measured. */
export type Embed = (texts: readonly string[]) => Promise<Float32Array[]>;

/** The published int8 model of the peers. */
export type PeerModel =
  /** A folder in the layout of the hub: `config.json`, `tokenizer.json`, `onnx/model_quantized.onnx`. */
  | { readonly directory: string }
  /** From the Hugging Face hub, `org/name`. */
  | { readonly hub: string };

/** Of the weights. What is computed with is one or the other. */
export type Precision = "int8" | "float32";

/** A way to embed, known to the process that compares before it is loaded in a process of its own. */
export interface Entrant {
  readonly id: string;
  /** For tables. */
  readonly label: string;
  readonly precision: Precision;
}

/** One that runs in Node. */
export interface Contender extends Entrant {
  /** Resolves when the model is loaded. Rejects with {@link Unavailable} when there is nothing to load. */
  open(peer: PeerModel): Promise<Embed>;
}

/** What a contender needs is not there: it is skipped, and the report says so. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
