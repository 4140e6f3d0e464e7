// Runs the kernel that dominates a run's time on generated numbers, to find the fastest build of a host.

import { context, factors, parameters, quantizedStates, rowCapacity, scratchAddress, stateScales, states, weights } from "./memory";
import { pack } from "./packing";
import { product } from "./products";
import { largestMagnitude, quantizeForProduct, scaleFor } from "./quantization";
import { HIDDEN, MATRIX, ROW_BYTES } from "./shape";

/** Fills rows and weights with generated numbers. To be called once, on an instance without a model. */
export function prepareProbe(): void {
  let seed: u32 = 1;
  const source = scratchAddress();
  for (let i: u32 = 0; i < MATRIX; i++) {
    seed = seed * 1664525 + 1013904223;
    store<i8>(source + i, <i8>(<i32>((seed >> 16) % 255) - 127));
  }
  pack(source, HIDDEN, 0);
  for (let i: u32 = 0; i < rowCapacity * HIDDEN; i++) {
    seed = seed * 1664525 + 1013904223;
    store<f32>(states + (i << 2), <f32>(<i32>(seed >> 16) - 32768));
  }
  for (let i: u32 = 0; i < HIDDEN; i++) store<f32>(parameters + (i << 2), 1);
  for (let row: u32 = 0; row < rowCapacity; row += 4) {
    for (let r: u32 = 0; r < 4; r++) {
      const magnitude = largestMagnitude(states + (row + r) * ROW_BYTES, HIDDEN);
      store<f32>(stateScales + ((row + r) << 2), scaleFor(magnitude, factors + (r << 2)));
    }
    quantizeForProduct(states + row * ROW_BYTES, quantizedStates + row * HIDDEN * 2);
  }
}

/**
 * Multiplies all reserved rows, a multiple of 4, by one matrix.
 * @returns a hash of the product's bits, equal in all builds
 */
export function probe(): u32 {
  product(quantizedStates, stateScales, rowCapacity, weights, HIDDEN, parameters, parameters, 0, context, ROW_BYTES);
  let hash: u32 = 0;
  for (let i: u32 = 0; i < rowCapacity * HIDDEN; i++) hash = (hash ^ load<u32>(context + (i << 2))) * 16777619;
  return hash;
}
