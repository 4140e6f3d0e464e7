import { EncoderError } from "../errors.ts";

/**
 * The builds of the engine. All compute the same bits.
 * - `plain`: WebAssembly SIMD.
 * - `checked`: for hosts that check memory bounds with explicit instructions.
 * - `relaxed`: uses the relaxed dot product, for processors with SDOT or VNNI.
 */
export type EngineBuild = "plain" | "checked" | "relaxed";

/** A compiled `WebAssembly.Module`, or the bytes of one. */
type ModuleSource = WebAssembly.Module | Uint8Array<ArrayBuffer>;

/** The builds of a platform. Their order decides between builds of equal speed. */
export type EngineModules = { readonly [build in EngineBuild]?: ModuleSource };

/** The exports of `assembly/index.ts`. Addresses and counts are u32. */
export interface EngineExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  reserve(layers: number, rows: number, texts: number): number;
  parametersAddress(): number;
  positionsAddress(): number;
  scratchAddress(): number;
  wordsAddress(): number;
  wordScalesAddress(): number;
  textEndsAddress(): number;
  pooledAddress(): number;
  pack(source: number, stride: number, matrix: number): void;
  prepareProbe(): void;
  probe(): number;
  run(texts: number, mean: number): number;
}

/** A build that the host has compiled. */
export interface CompiledBuild {
  readonly build: EngineBuild;
  readonly module: WebAssembly.Module;
}

/** A build is preferred to an earlier one if it takes at most this share of its time. */
const maxTimeShare = 0.9;

/** Maximum ms and maximum rounds of one measurement of a build. */
const probeTime = 5;
const probeRounds = 30;

/** Rows of the timed product: a multiple of 4. */
const probeRows = 32;

/**
 * Compiles the builds that the host validates, and sorts them by speed, fastest first. Omits builds whose probe returns varying bits, or
 * bits that differ from the first build. Rejects with `device_unavailable` if no build is left, as on hosts without WebAssembly SIMD.
 * @example
 * const [fastest] = await compileBuilds({ plain: plainBytes, relaxed: relaxedBytes });
 */
export async function compileBuilds(modules: EngineModules): Promise<CompiledBuild[]> {
  const compiled: CompiledBuild[] = [];
  for (const build of Object.keys(modules) as EngineBuild[]) {
    const source = modules[build];
    if (source instanceof WebAssembly.Module) compiled.push({ build, module: source });
    // Hosts without SIMD or relaxed SIMD reject the module as invalid.
    else if (source && WebAssembly.validate(source)) compiled.push({ build, module: await WebAssembly.compile(source) });
  }
  if (compiled.length === 0) throw new EncoderError("device_unavailable", "WebAssembly SIMD is not available on this platform");
  return compiled.length === 1 ? compiled : fastestFirst(compiled);
}

/** Creates an instance with its own memory. */
export async function instantiate(module: WebAssembly.Module): Promise<EngineExports> {
  const { exports } = await WebAssembly.instantiate(module, {});
  // The engine is compiled from assembly/index.ts, which this type describes.
  return exports as unknown as EngineExports;
}

async function fastestFirst(compiled: readonly CompiledBuild[]): Promise<CompiledBuild[]> {
  const probes = [];
  for (const { build, module } of compiled) probes.push({ build, module, probe: await createProbe(module) });
  // Two passes: in the first, code may not be optimized yet.
  for (let pass = 0; pass < 2; pass++) for (const { probe } of probes) probe.measure();
  const steady = probes.filter(({ probe }) => probe.hashes.size === 1);
  const [known] = steady[0]?.probe.hashes ?? [];
  if (known === undefined) throw new EncoderError("device_unavailable", "WebAssembly SIMD does not return the same bits in repeated runs");
  const ordered: typeof probes = [];
  for (const candidate of steady) {
    const { time, hashes } = candidate.probe;
    if (!hashes.has(known)) continue;
    const place = ordered.findIndex(({ probe }) => time < probe.time * maxTimeShare);
    ordered.splice(place < 0 ? ordered.length : place, 0, candidate);
  }
  return ordered.map(({ build, module }) => ({ build, module }));
}

/** Creates a probe, which times a small product. */
async function createProbe(module: WebAssembly.Module) {
  const engine = await instantiate(module);
  if (engine.reserve(1, probeRows, 1) === 0) throw new EncoderError("load_failed", "The WASM engine could not reserve its memory");
  engine.prepareProbe();
  return {
    /** The shortest time so far, in ms: 0 if the host's clock does not advance during execution. */
    time: Number.POSITIVE_INFINITY,
    /** Hashes of the product's bits. More than one if the host's optimized code computes different bits. */
    hashes: new Set<number>(),
    measure() {
      const end = performance.now() + probeTime;
      for (let now = performance.now(), rounds = 0; now < end && rounds < probeRounds; rounds++) {
        this.hashes.add(engine.probe());
        const then = performance.now();
        this.time = Math.min(this.time, then - now);
        now = then;
      }
    },
  };
}
