import { compareBytes, concatenated, firstIndex } from "./byte-arrays.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Immutable strings as UTF-8 in one array. */
export class StringTable {
  readonly bytes: Uint8Array;
  /** Where each string starts; the last one is the end. */
  readonly offsets: Uint32Array;

  constructor(bytes: Uint8Array, offsets: Uint32Array) {
    this.bytes = bytes;
    this.offsets = offsets;
  }

  static of(strings: Iterable<string>): StringTable {
    const { bytes, offsets } = concatenated(Array.from(strings, (text) => encoder.encode(text)));
    return new StringTable(bytes, offsets);
  }

  get size(): number {
    return this.offsets.length - 1;
  }

  /** The string at a valid position. */
  get(position: number): string {
    return decoder.decode(this.bytes.subarray(this.offsets[position], this.offsets[position + 1]));
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (let i = 0; i < this.size; i++) yield this.get(i);
  }
}

/** Distinct strings in ascending order of their UTF-8 bytes, which is the order of code points. */
export class SortedStrings extends StringTable {
  /** Letters and length of each string, for {@link similar}; computed when first needed. */
  #shapes: { readonly letters: Uint32Array; readonly lengths: Uint8Array } | null = null;

  static override of(strings: Iterable<string>): SortedStrings {
    const { bytes, offsets } = StringTable.of([...strings].sort(compareCodePoints));
    return new SortedStrings(bytes, offsets);
  }

  /** The position of a string; -1 if it is absent. */
  find(text: string): number {
    const wanted = encoder.encode(text);
    const position = this.#lowerBound(wanted);
    return position < this.size && this.#compare(position, wanted) === 0 ? position : -1;
  }

  /** The strings that start with a prefix: from the first position up to the second. */
  rangeOf(prefix: string): [from: number, to: number] {
    const wanted = encoder.encode(prefix);
    // No UTF-8 sequence contains the byte 255.
    return [this.#lowerBound(wanted), this.#lowerBound(Uint8Array.of(...wanted, 255))];
  }

  /**
   * Positions of the strings within an edit distance (insertion, deletion, substitution or transposition of code points), ascending. For a
   * text in ASCII, similar strings beyond ASCII may be missed.
   */
  similar(text: string, maxDistance: number): number[] {
    this.#shapes ??= this.#measureShapes();
    const { letters, lengths } = this.#shapes;
    const wanted = encoder.encode(text);
    const wantedLetters = lettersOf(wanted, 0, wanted.length);
    const points = codePointsOf(text);
    const maxBytes = points.length === wanted.length ? maxDistance : 4 * maxDistance;
    const found: number[] = [];
    for (let position = 0; position < letters.length; position++) {
      const own = letters[position] ?? 0;
      if (Math.abs((lengths[position] ?? 0) - Math.min(255, wanted.length)) > maxBytes) continue;
      if (bitCount(wantedLetters & ~own) > maxBytes || bitCount(own & ~wantedLetters) > maxBytes) continue;
      if (isWithinEdits(points, codePointsOf(this.get(position)), maxDistance)) found.push(position);
    }
    return found;
  }

  #measureShapes() {
    const letters = new Uint32Array(this.size);
    const lengths = new Uint8Array(this.size);
    for (let i = 0; i < this.size; i++) {
      const [from, to] = [this.offsets[i] ?? 0, this.offsets[i + 1] ?? 0];
      letters[i] = lettersOf(this.bytes, from, to);
      lengths[i] = Math.min(255, to - from);
    }
    return { letters, lengths };
  }

  /** The first position whose string is not less than `wanted`. */
  #lowerBound(wanted: Uint8Array): number {
    return firstIndex(this.size, (position) => this.#compare(position, wanted) >= 0);
  }

  #compare(position: number, wanted: Uint8Array): number {
    return compareBytes(this.bytes, this.offsets[position] ?? 0, this.offsets[position + 1] ?? 0, wanted);
  }
}

/** The order of {@link SortedStrings}. UTF-16 code units would sort some characters after U+FFFF differently. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    // Surrogates are for code points beyond all others.
    const [xHigh, yHigh] = [isSurrogate(x), isSurrogate(y)];
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;

/** The set of bytes, by their lowest five bits: letters of the Latin alphabet are distinct. */
function lettersOf(bytes: Uint8Array, from: number, to: number): number {
  let letters = 0;
  for (let i = from; i < to; i++) letters |= 1 << ((bytes[i] ?? 0) & 31);
  return letters;
}

/** The number of bits that are set in a 32-bit integer. */
export function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const codePointsOf = (text: string): number[] => Array.from(text, (point) => point.codePointAt(0) ?? 0);

/** Whether the optimal string alignment distance is within a limit. */
function isWithinEdits(a: readonly number[], b: readonly number[], limit: number): boolean {
  if (Math.abs(a.length - b.length) > limit) return false;
  let before = new Uint16Array(b.length + 1);
  let previous = Uint16Array.from({ length: b.length + 1 }, (_, j) => j);
  let row = new Uint16Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    row[0] = i + 1;
    let least = i + 1;
    for (let j = 0; j < b.length; j++) {
      let distance = Math.min((previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1, (previous[j] ?? 0) + (a[i] === b[j] ? 0 : 1));
      if (i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j]) distance = Math.min(distance, (before[j - 1] ?? 0) + 1);
      row[j + 1] = distance;
      least = Math.min(least, distance);
    }
    if (least > limit) return false;
    [before, previous, row] = [previous, row, before];
  }
  return (previous[b.length] ?? 0) <= limit;
}
