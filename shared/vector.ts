import { EncoderError } from "./errors.ts";

/** Cosine of the angle between two vectors of one length. */
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

/** The vector as asked for, in the buffer of `pooled` unless it is cut. Refuses one that is not finite: a lost GPU device gives NaN instead of an error. */
export function finishVector(pooled: Float32Array<ArrayBuffer>, dimensions: number, normalize: boolean): Float32Array<ArrayBuffer> {
  const vector = dimensions < pooled.length ? pooled.slice(0, dimensions) : pooled;
  let squares = 0;
  for (const component of vector) squares += component * component;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) throw new EncoderError("inference_failed", "The model returned a vector that is not finite");
  if (normalize && norm > 0) for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) / norm;
  return vector;
}

/** base64 of little-endian float32 to numbers. */
export function decodeVector(base64: string): Float32Array<ArrayBuffer> {
  const binary = atob(base64);
  const view = new DataView(new ArrayBuffer(binary.length));
  for (let i = 0; i < binary.length; i++) view.setUint8(i, binary.charCodeAt(i));
  return Float32Array.from({ length: view.byteLength >> 2 }, (_, i) => view.getFloat32(i * 4, true));
}

/** Numbers to base64 of little-endian float32. */
export function encodeVector(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [i, component] of vector.entries()) view.setFloat32(i * 4, component, true);
  let binary = "";
  for (let i = 0; i < view.byteLength; i++) binary += String.fromCharCode(view.getUint8(i));
  return btoa(binary);
}
