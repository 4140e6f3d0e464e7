/** Documents and vectors of the search benchmark. */
import type { IndexDocument } from "../shared/index/segment-builder.ts";
import type { VectorCodec } from "../shared/index/vector-codes.ts";
import type { Document } from "../shared/search/library.ts";
import type { ChunkedDocument } from "../shared/search/passages.ts";
import type { SearchJob } from "./search-protocol.ts";

/** A generated vector has a cosine of 0.89 to its real vector. Real passages are seldom as similar. */
const noise = 0.5;

/** Documents with about `size` passages, in batches. */
export function* grownTo({ documents, passages, size }: SearchJob, batchSize = 1000): Iterable<Document[]> {
  let batch: Document[] = [];
  for (const document of grown(documents, Math.round((size * documents.length) / passages))) {
    if (batch.push(document) < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Chunked documents for an index. @param vectors of the passages, in order */
export function indexDocuments(chunked: readonly ChunkedDocument[], vectors: readonly Float32Array[], codec: VectorCodec): IndexDocument[] {
  const remaining = vectors.values();
  return chunked.map(({ document: { id, title, kind, text }, passages }) => ({
    ...{ id, title, text, fields: { kind } },
    passages: passages.map((passage) => {
      const { value } = remaining.next();
      return { ...passage, code: value ? codec.encode(value) : null };
    }),
  }));
}

/**
 * The real documents, then copies in which three of ten words are replaced by words of the collection. The vocabulary does not grow, so
 * the lists of passages per word are longer than those of real texts.
 */
function* grown(documents: readonly Document[], count: number): Iterable<Document> {
  const words = documents.map(({ text }) => text.split(/(?<=\s)/));
  const all = words.flat();
  const uniform = uniformNumbers();
  for (let i = 0; i < count; i++) {
    const place = i % documents.length;
    const [origin, own] = [documents[place], words[place]];
    if (!(origin && own)) return;
    const changed = own.map((word) => (uniform() < 0.3 ? all[Math.floor(uniform() * all.length)] : word));
    yield { ...origin, id: String(i), text: i < documents.length ? origin.text : changed.join("") };
  }
}

/** The real vectors, then an endless sequence of copies with noise. Deterministic. */
export function* perturbed(real: readonly Float32Array[]): Generator<Float32Array<ArrayBuffer>, never> {
  const uniform = uniformNumbers();
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let place = 0; ; place++) {
    const origin = Float32Array.from(real[place % real.length] ?? []);
    if (place < real.length) {
      yield origin;
      continue;
    }
    const vector = origin.map((component) => component + (noise * normal()) / Math.sqrt(origin.length));
    const norm = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0));
    yield vector.map((component) => component / norm);
  }
}

/** Pseudorandom numbers in (0, 1). Deterministic. */
export function uniformNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}
