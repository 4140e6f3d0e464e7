import { EncoderError } from "../errors.ts";

/**
 * The engine is compiled three times; all builds compute the same bits.
 * - `plain`: WebAssembly SIMD.
 * - `checked`: for hosts that check the bounds of memory accesses by instructions.
 * - `relaxed`: with the relaxed dot product, for processors with SDOT or VNNI.
 */
export type EngineBuild = "plain" | "checked" | "relaxed";

/** A compiled `WebAssembly.Module`, or the bytes of one. */
type ModuleSource = WebAssembly.Module | Uint8Array<ArrayBuffer>;

/** The builds that a platform offers, in the order of preference where the probe finds no difference. */
export type EngineModules = { readonly [build in EngineBuild]?: ModuleSource };

/** What `assembly/index.ts` exports. Addresses and counts are u32. */
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

export interface CompiledBuild {
  readonly build: EngineBuild;
  readonly module: WebAssembly.Module;
}

/** A build is preferred to an earlier one only when it takes at most this share of its time. */
const worthChanging = 0.9;

/** How long a build is probed at once, in ms, and how often at most. */
const probeTime = 5;
const probeRounds = 30;

/** Rows of the product that is timed: a multiple of 4. */
const probeRows = 32;

/**
 * Compiles those builds that the host validates, fastest first. A build whose probe gives other bits than the first one's, or now these and
 * now those, is left out. Throws `device_unavailable` where none is left, and where the host validates none: it has no WebAssembly SIMD.
 */
export async function compileBuilds(modules: EngineModules): Promise<CompiledBuild[]> {
  const compiled: CompiledBuild[] = [];
  for (const build of Object.keys(modules) as EngineBuild[]) {
    const source = modules[build];
    if (source instanceof WebAssembly.Module) compiled.push({ build, module: source });
    // A host without SIMD, or without relaxed SIMD, refuses the module as invalid.
    else if (source && WebAssembly.validate(source)) compiled.push({ build, module: await WebAssembly.compile(source) });
  }
  if (compiled.length === 0) throw new EncoderError("device_unavailable", "WebAssembly SIMD is not available on this platform");
  return compiled.length === 1 ? compiled : fastestFirst(compiled);
}

/** An instance of its own, with memory of its own. */
export async function instantiate(module: WebAssembly.Module): Promise<EngineExports> {
  const { exports } = await WebAssembly.instantiate(module, {});
  // The module is ours, from the same build as this type.
  return exports as unknown as EngineExports;
}

async function fastestFirst(compiled: readonly CompiledBuild[]): Promise<CompiledBuild[]> {
  const probes = [];
  for (const { build, module } of compiled) probes.push({ build, module, probe: await createProbe(module) });
  // Twice, by turns: whichever build comes first has run before its code was optimized.
  for (let pass = 0; pass < 2; pass++) for (const { probe } of probes) probe.measure();
  const steady = probes.filter(({ probe }) => probe.hashes.size === 1);
  const [known] = steady[0]?.probe.hashes ?? [];
  if (known === undefined) throw new EncoderError("device_unavailable", "WebAssembly SIMD does not compute the same bits each time");
  const ordered: typeof probes = [];
  for (const candidate of steady) {
    const { time, hashes } = candidate.probe;
    if (!hashes.has(known)) continue;
    const place = ordered.findIndex(({ probe }) => time < probe.time * worthChanging);
    ordered.splice(place < 0 ? ordered.length : place, 0, candidate);
  }
  return ordered.map(({ build, module }) => ({ build, module }));
}

/** Times a small product. */
async function createProbe(module: WebAssembly.Module) {
  const engine = await instantiate(module);
  if (engine.reserve(1, probeRows, 1) === 0) throw new EncoderError("load_failed", "The WASM engine could not reserve its memory");
  engine.prepareProbe();
  return {
    /** The shortest time so far, in ms: 0 where the host's clock stands still. */
    time: Number.POSITIVE_INFINITY,
    /** Of the product's bits: one, unless a host's optimized code computes other bits than its first. */
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
