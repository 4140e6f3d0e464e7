import { setFlagsFromString } from "node:v8";
import { describe } from "vitest";
import { testEngineBuild } from "./engine-build-suite.ts";
import { buildBytes } from "./tiny-model.ts";

if (!WebAssembly.validate(buildBytes.relaxed)) {
  // Node 20 has relaxed SIMD behind a flag, as an experiment in which V8's baseline compiler computes the dot product wrongly.
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  setFlagsFromString("--no-liftoff");
}

describe.skipIf(!WebAssembly.validate(buildBytes.relaxed))("the relaxed SIMD build", () => testEngineBuild("relaxed"));
