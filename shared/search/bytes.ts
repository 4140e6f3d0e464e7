/** Why bytes cannot be read. Thrown by {@link ByteReader} and by those who read with it. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Writes numbers and text one after the other. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** A whole number from 0 to 2^32 - 1 in seven bits a byte, lowest first (LEB128). */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** All that was written, in a buffer of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Reads what {@link ByteWriter} wrote. It trusts nothing: what goes beyond the end throws {@link FormatError}. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw new FormatError("it ends within a number");
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (value > 0xffffffff || (byte === 0 && shift > 0)) break;
        return value;
      }
    }
    throw new FormatError("a number in it is not written as it should be");
  }

  /** How many of something follow, each of which takes at least `bytesEach` bytes: what cannot be there is not made room for. */
  count(bytesEach: number): number {
    const count = this.varint();
    if (count * bytesEach > this.remaining) throw new FormatError("it announces more than it holds");
    return count;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw new FormatError("it announces more than it holds");
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}
