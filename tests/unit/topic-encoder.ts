import type { Embeddings, EmbedOptions, Encoder, Model } from "../../shared/encoder/encoder.ts";
import { FakeModel } from "./fake-model.ts";

/** Words that stand for dimensions: a text's vector points to those that it has. */
const topics = ["tide", "bread", "cello", "radiator"];

/** Enough for vector codes to be accurate. */
const dimensions = 64;

export function topicVector(text: string): Float32Array<ArrayBuffer> {
  const counts: number[] = topics.map((topic) => text.split(topic).length - 1);
  // A text without a topic is like others without one.
  if (!counts.some((count) => count > 0)) counts.push(1);
  const norm = Math.hypot(...counts);
  const vector = new Float32Array(dimensions);
  vector.set(counts.map((count) => count / norm));
  return vector;
}

/** An encoder by topics, which tells what it was asked. */
export class TopicEncoder implements Encoder {
  model: Model = { ...FakeModel.model, dimensions };
  readonly embedded: string[] = [];
  loads = 0;
  /** What the next load and the next calls wait for. */
  gate: Promise<void> = Promise.resolve();

  /** Makes the next load and the next calls fail. */
  fail(error: Error): void {
    this.gate = Promise.reject(error);
    this.gate.catch(() => {});
  }

  async load(): Promise<Model> {
    this.loads += 1;
    await this.gate;
    return this.model;
  }

  async embed(texts: string | readonly string[], { signal }: EmbedOptions = {}): Promise<Embeddings> {
    const list = [texts].flat();
    this.embedded.push(...list);
    await this.gate;
    signal?.throwIfAborted();
    const zeros = list.map(() => 0);
    return { vectors: list.map(topicVector), tokens: zeros, truncated: zeros, time: { queue: 0, inference: 0 } };
  }

  tokenize = async () => [];
  info = () => ({
    state: "idle" as const,
    model: null,
    device: null,
    workers: { ready: 0, size: 1 },
    pending: { texts: 0, tokens: 0 },
    error: null,
  });
  dispose = async () => {};
}
