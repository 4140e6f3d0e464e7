import type { Document } from "../shared/search/library.ts";

/** A generated vector has a cosine of 0.89 to its real vector. Real passages are seldom as similar. */
const noise = 0.5;

/**
 * The real documents, then copies in which three of ten words are replaced by words of the collection. The vocabulary does not grow, so
 * the lists of passages per word are longer than those of real texts.
 */
export function* grown(documents: readonly Document[], count: number): Iterable<Document> {
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
function uniformNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}
