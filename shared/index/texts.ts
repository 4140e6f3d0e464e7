import { deflateSync, inflateSync } from "fflate";
import { EncoderError } from "../errors.ts";
import { concatenated, firstIndex } from "./byte-arrays.ts";
import { FormatError } from "./format-error.ts";

/** Maximum UTF-16 code units of a block. A result decompresses one or two: 0.1 ms each. */
const blockLength = 8192;

/** Blocks that stay decompressed: the results of one query and of the next ones. */
const maxCachedBlocks = 64;

/**
 * Texts in blocks that are compressed one by one. A block belongs to one text. Positions are UTF-16 code units in the concatenation of all
 * texts.
 */
export class CompressedTexts {
  /** Where each block starts in the concatenation; the last one is its length. */
  readonly starts: Uint32Array;
  /** Where each block's bytes start; the last one is their number. */
  readonly offsets: Uint32Array;
  /** Raw deflate of UTF-8. */
  readonly bytes: Uint8Array;
  readonly #cache = new Map<number, string>();

  constructor(starts: Uint32Array, offsets: Uint32Array, bytes: Uint8Array) {
    this.starts = starts;
    this.offsets = offsets;
    this.bytes = bytes;
  }

  /** The text from one position up to another, which are valid. */
  slice(from: number, to: number): string {
    let text = "";
    for (const block of this.#blocksIn(from, to)) {
      const start = this.starts[block] ?? 0;
      text += this.#block(block).slice(Math.max(0, from - start), to - start);
    }
    return text;
  }

  /** The blocks of one text, and the number of their code units. */
  *blocksOf(from: number, to: number): Iterable<{ readonly bytes: Uint8Array; readonly length: number }> {
    for (const block of this.#blocksIn(from, to)) yield this.#compressed(block);
  }

  /** The blocks that a range touches. An empty text has no block: the range of one at the end starts behind the last. */
  *#blocksIn(from: number, to: number): Iterable<number> {
    let block = firstIndex(this.starts.length, (i) => (this.starts[i] ?? 0) > from) - 1;
    for (; block < this.starts.length - 1 && (this.starts[block] ?? 0) < to; block++) yield block;
  }

  #compressed(block: number) {
    const length = (this.starts[block + 1] ?? 0) - (this.starts[block] ?? 0);
    return { bytes: this.bytes.subarray(this.offsets[block], this.offsets[block + 1]), length };
  }

  #block(block: number): string {
    const known = this.#cache.get(block);
    if (known !== undefined) return known;
    const { bytes, length } = this.#compressed(block);
    const text = decompress(bytes, length);
    this.#cache.set(block, text);
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined && this.#cache.size > maxCachedBlocks) this.#cache.delete(oldest);
    return text;
  }
}

/**
 * Decompresses a block of a known length. The output has a fixed size, so a forged block cannot take more memory. Throws `invalid_index` if
 * the block is not valid or has another length.
 */
function decompress(bytes: Uint8Array, length: number): string {
  try {
    // A code unit takes at most three bytes of UTF-8.
    const utf8 = inflateSync(bytes, { out: new Uint8Array(3 * length) });
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(utf8);
    if (text.length === length) return text;
  } catch (error) {
    throw new EncoderError("invalid_index", "The index file is not valid: a text cannot be decompressed", {}, { cause: error });
  }
  throw new EncoderError("invalid_index", "The index file is not valid: a text has a wrong length");
}

/**
 * Checks the lengths of untrusted blocks, and that each text starts with a block. Their bytes are checked when a block is read. Throws
 * {@link FormatError}.
 * @param texts where each text starts, ascending; the last one is the end
 */
export function checkTexts(starts: Uint32Array, offsets: Uint32Array, texts: Uint32Array): void {
  let at = 0;
  for (const start of texts) {
    while (at < starts.length && (starts[at] ?? 0) < start) at += 1;
    if (starts[at] !== start) throw new FormatError("a block of text belongs to two documents");
  }
  for (let block = 1; block < starts.length; block++) {
    const length = (starts[block] ?? 0) - (starts[block - 1] ?? 0);
    if (!isPossible(length, (offsets[block] ?? 0) - (offsets[block - 1] ?? 0))) throw new FormatError("a block of text is too long");
  }
}

/** Incompressible UTF-8 of at most three bytes per code unit is stored with a few bytes more. */
const isPossible = (length: number, bytes: number) => length >= 1 && length <= blockLength && bytes <= 3 * length + 64;

/** Collects texts in order. Each text has blocks of its own, so that they can be copied from one segment to another. */
export class TextsWriter {
  readonly #blocks: Uint8Array[] = [];
  readonly #starts: number[] = [0];

  /** Compresses a text of well-formed Unicode. */
  add(text: string): void {
    for (let from = 0; from < text.length; ) {
      let to = Math.min(text.length, from + blockLength);
      // A surrogate pair stays in one block.
      if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to -= 1;
      // fflate gives the same bytes everywhere; the zlib of browsers and Node.js does not.
      this.#push(deflateSync(new TextEncoder().encode(text.slice(from, to)), { level: 6 }), to - from);
      from = to;
    }
  }

  /** Copies the blocks of one text. @param from where the text starts; `to`, where it ends */
  copy(source: CompressedTexts, from: number, to: number): void {
    for (const { bytes, length } of source.blocksOf(from, to)) this.#push(bytes, length);
  }

  finish(): CompressedTexts {
    const { bytes, offsets } = concatenated(this.#blocks);
    return new CompressedTexts(Uint32Array.from(this.#starts), offsets, bytes);
  }

  #push(block: Uint8Array, length: number): void {
    this.#blocks.push(block);
    this.#starts.push((this.#starts.at(-1) ?? 0) + length);
  }
}
