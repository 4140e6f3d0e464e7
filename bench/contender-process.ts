import { Child } from "./child.ts";
import type { Contender, PeerModel } from "./contenders/contender.ts";
import { type PythonContender, pythonJob } from "./contenders/python.ts";
import type { EncodeAnswer, EncodeJob } from "./encode-child.ts";
import type { PythonPeers } from "./peers/install.ts";
import { warmUpTexts } from "./texts.ts";

export type AnyContender = Contender | PythonContender;

export interface ContenderSources {
  readonly peer: PeerModel;
  /** Null where the Python peers were not asked for. */
  readonly python: PythonPeers | null;
}

/** Of the vectors of bge-small-en-v1.5. */
const dimensions = 384;

const warmUp = warmUpTexts();

/** What `contender.py` answers with: the vectors as one run of little-endian float32 in base64. */
type PythonAnswer = Omit<Extract<EncodeAnswer, { outcome: "measured" }>, "vectors"> & { readonly vectors: string };

/** The process of one contender, in whatever language: it loads the model with the first texts, and keeps it. */
export class ContenderProcess implements AsyncDisposable {
  readonly #child: Child | null;
  readonly #embed: (texts: readonly string[]) => Promise<EncodeAnswer>;

  constructor(contender: AnyContender, { peer, python }: ContenderSources) {
    if ("open" in contender) {
      const child = new Child("encode-child.js");
      this.#child = child;
      this.#embed = (texts) => child.ask<EncodeAnswer>({ contender: contender.id, peer, warmUp, texts } satisfies EncodeJob);
      return;
    }
    const job = pythonJob(contender, python);
    if ("refusal" in job) {
      this.#child = null;
      this.#embed = async () => ({ outcome: "unavailable", reason: job.refusal });
      return;
    }
    const child = new Child(job.program);
    this.#child = child;
    this.#embed = async (texts) => {
      try {
        const { vectors, ...figures } = await child.ask<PythonAnswer>({ settings: job.settings, warmUp, texts });
        return { ...figures, vectors: rowsOf(Buffer.from(vectors, "base64")) };
      } catch (error) {
        // It has told why on stderr. That a peer cannot do something is no reason to measure nothing.
        return { outcome: "unavailable", reason: error instanceof Error ? error.message : String(error) };
      }
    };
  }

  /** Embeds texts, and tells what that took. */
  embed(texts: readonly string[]): Promise<EncodeAnswer> {
    return this.#embed(texts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
  }
}

function rowsOf(bytes: Buffer): Float32Array[] {
  const components = new Float32Array(Uint8Array.from(bytes).buffer);
  return Array.from({ length: components.length / dimensions }, (_, row) => components.slice(row * dimensions, (row + 1) * dimensions));
}
