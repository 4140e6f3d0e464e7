/** Parts one after another, and where each starts; the last offset is the end. */
export function concatenated(parts: readonly Uint8Array[]): { readonly bytes: Uint8Array; readonly offsets: Uint32Array } {
  const offsets = new Uint32Array(parts.length + 1);
  for (const [i, { length }] of parts.entries()) offsets[i + 1] = (offsets[i] ?? 0) + length;
  const bytes = new Uint8Array(offsets.at(-1) ?? 0);
  for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]);
  return { bytes, offsets };
}

/** Compares the bytes from one position up to another with others: negative if they are less, 0 if they are equal. */
export function compareBytes(bytes: Uint8Array, from: number, to: number, others: Uint8Array): number {
  const shared = Math.min(to - from, others.length);
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[from + i] ?? 0) - (others[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return to - from - others.length;
}

/** The first index below `length` for which a test holds, which then holds for all later ones; `length` if there is none. */
export function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
