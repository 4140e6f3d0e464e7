/** Bytes do not have the expected format. The message completes “The index file is not valid: …”. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Writes numbers and bytes to a growing buffer. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** An integer from 0 to 2^32 - 1 as LEB128. */
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

  /** A copy of the written bytes. */
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

/** Reads untrusted bytes in the format of {@link ByteWriter}. Reading beyond the end throws {@link FormatError}. */
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
      if (byte === undefined) throw new FormatError("it ends inside a number");
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (value > 0xffffffff || (byte === 0 && shift > 0)) break;
        return value;
      }
    }
    throw new FormatError("it has a malformed number");
  }

  /** The number of items that follow. Throws when the remaining bytes cannot hold that many items of at least `bytesEach` bytes. */
  count(bytesEach: number): number {
    const count = this.varint();
    if (count * bytesEach > this.remaining) throw new FormatError("it ends too early");
    return count;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw new FormatError("it ends too early");
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}
