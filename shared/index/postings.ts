import { FormatError } from "./format-error.ts";

/** Occurrences of a term in the fields of a passage. */
export interface Occurrences {
  readonly title: number;
  readonly headings: number;
  readonly text: number;
}

/** Occurrences above these count as these: more of them change a score by less than 2 %. */
const maxOccurrences: Occurrences = { title: 3, headings: 3, text: 15 };

/** The occurrences of most postings: one in the text. They need no byte of their own. */
const once = 1;

/** Occurrences as a byte: four bits for the text, two for headings and two for the title. */
export function packOccurrences({ title, headings, text }: Occurrences): number {
  return (
    Math.min(text, maxOccurrences.text) | (Math.min(headings, maxOccurrences.headings) << 4) | (Math.min(title, maxOccurrences.title) << 6)
  );
}

/** Packed occurrences with a byte per field (text, headings, title), so that those of several words can be added. */
export const spreadOccurrences = Uint32Array.from(
  { length: 256 },
  (_, packed) => (packed & 15) | (((packed >> 4) & 3) << 8) | ((packed >> 6) << 16),
);

/**
 * Writes the postings of one term, in ascending order of passages: the distance to the previous passage as LEB128, doubled, plus one if
 * a byte of occurrences follows.
 */
export class PostingsWriter {
  #bytes = new Uint8Array(8);
  #length = 0;
  #next = 0;
  count = 0;

  add(passage: number, occurrences: number): void {
    if (this.#length + 7 > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    // A multiplication: a shift would overflow for passages beyond 2^30.
    let rest = (passage - this.#next) * 2 + (occurrences === once ? 0 : 1);
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
    if (occurrences !== once) this.#bytes[this.#length++] = occurrences;
    this.#next = passage + 1;
    this.count += 1;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Decoded postings; the arrays are reused by the next call of {@link decode}. */
export class PostingsReader {
  passages = new Uint32Array(1024);
  /** See {@link packOccurrences}. */
  occurrences = new Uint8Array(1024);

  /** Decodes `count` postings from a position. Returns the position after them. */
  decode(bytes: Uint8Array, position: number, count: number): number {
    if (count > this.passages.length) {
      this.passages = new Uint32Array(2 * count);
      this.occurrences = new Uint8Array(2 * count);
    }
    const { passages, occurrences } = this;
    let at = position;
    let next = 0;
    for (let i = 0; i < count; i++) {
      let value = bytes[at++] ?? 0;
      if (value > 127) {
        value -= 128;
        let place = 128;
        for (;;) {
          const byte = bytes[at++] ?? 0;
          value += (byte & 127) * place;
          if (byte < 128) break;
          place *= 128;
        }
      }
      const isOnce = value % 2 === 0;
      occurrences[i] = isOnce ? once : (bytes[at++] ?? 0);
      next += isOnce ? value / 2 : (value - 1) / 2;
      passages[i] = next++;
    }
    return at;
  }
}

/**
 * Checks untrusted postings: the bytes of each term are complete and name passages below `passages`, in ascending order.
 * @throws {FormatError}
 */
export function checkPostings(bytes: Uint8Array, offsets: Uint32Array, counts: Uint32Array, passages: number): void {
  const reader = new PostingsReader();
  for (let term = 0; term < counts.length; term++) {
    const [from, to, count] = [offsets[term] ?? 0, offsets[term + 1] ?? 0, counts[term] ?? 0];
    if (count < 1 || count > passages || count > to - from) throw new FormatError("a term has a wrong number of passages");
    if ((bytes[to - 1] ?? 0) > 127 && count === to - from) throw new FormatError("a term's passages are incomplete");
    if (reader.decode(bytes.subarray(0, to), from, count) !== to) throw new FormatError("a term's passages are incomplete");
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const passage = reader.passages[i] ?? 0;
      if (passage <= previous || passage >= passages || reader.occurrences[i] === 0) {
        throw new FormatError("a term names a passage that does not exist");
      }
      previous = passage;
    }
  }
}
