import { deflateSync, inflateSync } from "fflate";
import { FormatError } from "./bytes.ts";

/** UTF-16 code units of a block. A result decompresses one or two: 0.1 ms each. */
const blockLength = 8192;

/** Blocks that stay decompressed: the results of one query and of the next ones. */
const maxCachedBlocks = 64;

/** Texts in blocks that are compressed one by one. Positions are UTF-16 code units in the concatenation of all texts. */
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
    for (let block = this.#blockAt(from); block < this.starts.length - 1; block++) {
      const start = this.starts[block] ?? 0;
      if (start >= to) break;
      text += this.#block(block).slice(Math.max(0, from - start), to - start);
    }
    return text;
  }

  #blockAt(position: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0) <= position) low = middle;
      else high = middle;
    }
    return low;
  }

  #block(block: number): string {
    const known = this.#cache.get(block);
    if (known !== undefined) return known;
    const length = (this.starts[block + 1] ?? 0) - (this.starts[block] ?? 0);
    const text = decompress(this.bytes.subarray(this.offsets[block], this.offsets[block + 1]), length);
    this.#cache.set(block, text);
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined && this.#cache.size > maxCachedBlocks) this.#cache.delete(oldest);
    return text;
  }
}

/**
 * Decompresses a block of a known length. The output has a fixed size, so a forged block cannot take more memory.
 * @throws {FormatError} if the block is not valid or has another length
 */
function decompress(bytes: Uint8Array, length: number): string {
  try {
    // A code unit takes at most three bytes of UTF-8.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(inflateSync(bytes, { out: new Uint8Array(3 * length) }));
    if (text.length === length) return text;
  } catch (error) {
    throw new FormatError("a block of text cannot be decompressed", { cause: error });
  }
  throw new FormatError("a block of text has a wrong length");
}

/** Checks the lengths of untrusted blocks. Their bytes are checked when a block is read. Throws {@link FormatError}. */
export function checkTexts(starts: Uint32Array, offsets: Uint32Array): void {
  for (let block = 1; block < starts.length; block++) {
    const length = (starts[block] ?? 0) - (starts[block - 1] ?? 0);
    if (!isPossible(length, (offsets[block] ?? 0) - (offsets[block - 1] ?? 0))) throw new FormatError("a block of text is too long");
  }
}

/** Incompressible UTF-8 of at most three bytes per code unit is stored with a few bytes more. */
const isPossible = (length: number, bytes: number) => length >= 1 && length <= blockLength && bytes <= 3 * length + 64;

/** Collects texts in order and compresses them. */
export class TextsWriter {
  readonly #blocks: Uint8Array[] = [];
  readonly #starts: number[] = [0];
  #pending = "";

  /** @param text well-formed Unicode */
  add(text: string): void {
    this.#pending += text;
    while (this.#pending.length > blockLength) {
      // A surrogate pair stays in one block.
      const isPair = (this.#pending.charCodeAt(blockLength - 1) & 0xfc00) === 0xd800;
      this.#compress(blockLength - (isPair ? 1 : 0));
    }
  }

  finish(): CompressedTexts {
    if (this.#pending !== "") this.#compress(this.#pending.length);
    const offsets = new Uint32Array(this.#blocks.length + 1);
    for (const [i, { length }] of this.#blocks.entries()) offsets[i + 1] = (offsets[i] ?? 0) + length;
    const bytes = new Uint8Array(offsets.at(-1) ?? 0);
    for (const [i, block] of this.#blocks.entries()) bytes.set(block, offsets[i]);
    return new CompressedTexts(Uint32Array.from(this.#starts), offsets, bytes);
  }

  #compress(length: number): void {
    // fflate gives the same bytes everywhere; the zlib of browsers and Node.js does not.
    this.#blocks.push(deflateSync(new TextEncoder().encode(this.#pending.slice(0, length)), { level: 6 }));
    this.#starts.push((this.#starts.at(-1) ?? 0) + length);
    this.#pending = this.#pending.slice(length);
  }
}
