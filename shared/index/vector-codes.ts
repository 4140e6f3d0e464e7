import { Rotation } from "./rotation.ts";

/** How a segment's vectors are encoded. Codes of two geometries cannot be compared. */
export interface CodeGeometry {
  /** Dimensions of the model's vectors. */
  readonly dimensions: number;
  /** Of the {@link Rotation} before quantization. */
  readonly seed: number;
  /** The 16 values of a 4-bit code, ascending, as i8. */
  readonly levels: readonly number[];
}

/** The geometry of a model with this many dimensions. */
export function geometryOf(dimensions: number): CodeGeometry {
  return { dimensions, seed: 1, levels: lloydLevels };
}

/**
 * The levels that minimize the squared error of 4-bit quantization of a normal distribution (Max, 1960, "Quantizing for minimum
 * distortion"), scaled to i8.
 */
const lloydLevels = [-127, -96, -75, -58, -44, -31, -18, -6, 6, 18, 31, 44, 58, 75, 96, 127];

/** The largest level of a standard normal distribution, which is 127 in i8. */
const largestLevel = 2.7326;

/** Dimensions in 16 bytes of a code. A code is padded to a multiple of them. */
const chunkDimensions = 32;

/** The largest number of dimensions that can be searched: a limit of assembly/scan.ts. */
export const maxDimensions = 4096;

/** Bytes of a code. */
export function codeBytesOf({ dimensions }: Pick<CodeGeometry, "dimensions">): number {
  return Math.ceil(dimensions / chunkDimensions) * (chunkDimensions / 2);
}

/** A query that is ready to be compared with codes. */
export interface QueryCode {
  /** The rotated components as i16, padded with zeros. */
  readonly components: Int16Array<ArrayBuffer>;
  /** Multiplier of a product of components and levels: see {@link VectorCodec.encode}. */
  readonly scale: number;
}

/** A code, and the number by which its product with a query is multiplied; 0 for no vector. */
export interface VectorCode {
  readonly code: Uint8Array<ArrayBuffer>;
  readonly scale: number;
}

/** Encodes vectors as codes of 4 bits per dimension: 192 bytes and a scale for 384 dimensions, an eighth of float32. */
export class VectorCodec {
  readonly geometry: CodeGeometry;
  /** Bytes of a code. */
  readonly bytes: number;
  readonly #rotation: Rotation;
  /** Limits between neighbouring levels, in units of a level. */
  readonly #limits: readonly number[];

  constructor(geometry: CodeGeometry) {
    this.geometry = geometry;
    this.bytes = codeBytesOf(geometry);
    this.#rotation = new Rotation(geometry.dimensions, geometry.seed);
    this.#limits = geometry.levels.slice(1).map((level, i) => (level + (geometry.levels[i] ?? 0)) / 2);
  }

  /**
   * Quantizes a vector. The scale makes the estimate of a dot product unbiased: it is the squared length of the vector divided by its
   * product with its own quantized form (Gao and Long, 2024, "RaBitQ").
   */
  encode(vector: Float32Array): VectorCode {
    const rotated = this.#rotation.apply(vector);
    const code = new Uint8Array(this.bytes);
    const unit = (127 / largestLevel) * Math.sqrt(rotated.length);
    let squares = 0;
    let product = 0;
    for (let i = 0; i < rotated.length; i++) {
      const component = rotated[i] ?? 0;
      const level = this.#levelOf(component * unit);
      const within = i % chunkDimensions;
      const byte = (i - within) / 2 + (within % 16);
      code[byte] = (code[byte] ?? 0) | (within < 16 ? level : level << 4);
      squares += component * component;
      product += component * (this.geometry.levels[level] ?? 0);
    }
    return { code, scale: product > 0 ? Math.fround(squares / product) : 0 };
  }

  /** Prepares a query. Its components are limited so that products are exact in i32. */
  encodeQuery(vector: Float32Array): QueryCode {
    const rotated = this.#rotation.apply(vector);
    const limit = Math.min(32_767, Math.floor(2 ** 31 / (128 * rotated.length)));
    const largest = rotated.reduce((most, component) => Math.max(most, Math.abs(component)), 0);
    const components = new Int16Array(this.bytes * 2);
    if (largest === 0) return { components, scale: 0 };
    for (let i = 0; i < rotated.length; i++) components[i] = Math.round(((rotated[i] ?? 0) * limit) / largest);
    return { components, scale: largest / limit };
  }

  #levelOf(value: number): number {
    let level = 0;
    while (level < this.#limits.length && value > (this.#limits[level] ?? 0)) level++;
    return level;
  }
}

/** Computes the integer products of a query with consecutive codes of `bytes` bytes each, into `products`. */
export type ScanCodes = (
  codes: Uint8Array,
  bytes: number,
  query: QueryCode["components"],
  levels: readonly number[],
  products: Int32Array,
) => void;

/** {@link ScanCodes} in JavaScript, for hosts without the WebAssembly module: the same products in about four times the time. */
export const scanCodes: ScanCodes = (codes, bytes, query, levels, products) => {
  // The sum of a byte's two dimensions, for each place and value of a byte.
  const sums = new Int32Array(bytes * 256);
  for (let place = 0; place < bytes; place++) {
    const dimension = (place >> 4) * chunkDimensions + (place & 15);
    const low = query[dimension] ?? 0;
    const high = query[dimension + 16] ?? 0;
    for (let byte = 0; byte < 256; byte++) sums[place * 256 + byte] = low * (levels[byte & 15] ?? 0) + high * (levels[byte >> 4] ?? 0);
  }
  for (let i = 0, at = 0; i < products.length; i++) {
    let product = 0;
    for (let place = 0; place < bytes; place++) product += sums[place * 256 + (codes[at++] ?? 0)] ?? 0;
    products[i] = product;
  }
};
