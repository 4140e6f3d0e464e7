// The engine: a BERT encoder of 384 dimensions with int8 weights, for every host that has WebAssembly SIMD.

export {
  parametersAddress,
  pooledAddress,
  positionsAddress,
  reserve,
  scratchAddress,
  textEndsAddress,
  wordScalesAddress,
  wordsAddress,
} from "./memory";
export { pack } from "./packing";
export { prepareProbe, probe } from "./probe";
export { run } from "./run";
