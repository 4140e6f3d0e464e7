import { EncoderError } from "./errors.ts";

/** Cosine similarity of two vectors with the same number of dimensions. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return dot / Math.sqrt(squaresA * squaresB);
}

/** The sum of products of components: for L2-normalized vectors the cosine of the angle between them. */
export function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/**
 * Truncates and normalizes a vector, in place unless it is truncated. Throws `inference_failed` if it is not finite: a lost GPU device
 * returns NaN instead of an error.
 * @param pooled output of a session
 * @param dimensions number of leading dimensions to keep
 * @param normalize whether to L2-normalize the result
 */
export function finishVector(pooled: Float32Array<ArrayBuffer>, dimensions: number, normalize: boolean): Float32Array<ArrayBuffer> {
  const vector = dimensions < pooled.length ? pooled.slice(0, dimensions) : pooled;
  let squares = 0;
  for (const component of vector) squares += component * component;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) throw new EncoderError("inference_failed", "The model returned a vector that is not finite");
  if (normalize && norm > 0) for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) / norm;
  return vector;
}

/** Decodes base64 of little-endian float32. */
export function decodeVector(base64: string): Float32Array<ArrayBuffer> {
  const binary = atob(base64);
  const view = new DataView(new ArrayBuffer(binary.length));
  for (let i = 0; i < binary.length; i++) view.setUint8(i, binary.charCodeAt(i));
  return Float32Array.from({ length: view.byteLength >> 2 }, (_, i) => view.getFloat32(i * 4, true));
}

/** Encodes a vector as base64 of little-endian float32. */
export function encodeVector(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [i, component] of vector.entries()) view.setFloat32(i * 4, component, true);
  let binary = "";
  for (let i = 0; i < view.byteLength; i++) binary += String.fromCharCode(view.getUint8(i));
  return btoa(binary);
}
