import { readFileSync } from "node:fs";
import type { EngineBuild, EngineModules } from "../../shared/engine/builds.ts";
import { type Engine, loadEngine } from "../../shared/engine/engine.ts";
import type { EngineModel } from "../../shared/engine/model.ts";
import type { EngineFiles } from "../../shared/engine/weights.ts";
import { decodeVector } from "../../shared/vector.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface TinyFixture {
  readonly architecture: EngineModel["architecture"];
  readonly maxTokens: number;
  readonly generator: { readonly multiplier: number; readonly increment: number; readonly seed: number };
  /** By the ending of a tensor's name. */
  readonly floats: { readonly [ending: string]: { readonly base: number; readonly step: number } };
  readonly rows: readonly { readonly ids: readonly number[]; readonly cls: string; readonly mean: string }[];
}

const fixture: TinyFixture = JSON.parse(readFileSync(new URL("../fixtures/engine/tiny.json", import.meta.url), "utf8"));

/** Token ids, and the vectors that the engine must give for them, to the bit. */
export const tinyRows = fixture.rows.map(({ ids, cls, mean }) => ({ ids, cls: decodeVector(cls), mean: decodeVector(mean) }));

export const poolings = ["cls", "mean"] as const;

/** The model that models/build/tiny_engine.py describes. */
export function tinyModel(pooling: EngineModel["pooling"] = "cls"): EngineModel {
  return { architecture: fixture.architecture, maxTokens: fixture.maxTokens, pooling };
}

/** The states of the fixture's generator, from the seed on. */
export function generator(seed = fixture.generator.seed): () => number {
  const { multiplier, increment } = fixture.generator;
  let state = seed;
  return () => {
    state = (Math.imul(state, multiplier) + increment) >>> 0;
    return state;
  };
}

const { layers, hidden, intermediate, vocabulary } = fixture.architecture;
const layerWeights = 4 * hidden * hidden + 2 * hidden * intermediate;
const tableRows = fixture.maxTokens + vocabulary;

/** The tensors of engine.bin, in order, with their lengths: the docstring of models/build/engine.py. */
function floatTensors(): [name: string, count: number][] {
  const wide = ["intermediate.weight_scale", "intermediate.bias"];
  const ofLayer = [
    "attention.input_scale",
    ...["key", "value", "query"].map((part) => `${part}.weight_scale`),
    ...["key", "value", "query"].map((part) => `${part}.bias`),
    ...["attention_output.weight_scale", "attention_output.bias"],
    ...["attention_norm.weight", "attention_norm.bias"],
    ...["intermediate.input_scale", ...wide],
    ...["output.weight_scale", "output.bias"],
    ...["output_norm.weight", "output_norm.bias"],
  ];
  return [
    ...["embedding_norm.weight", "embedding_norm.bias", "token_type.first"].map((name): [string, number] => [name, hidden]),
    ...Array.from({ length: layers }, () =>
      ofLayer.map((name): [string, number] => [name, wide.includes(name) ? intermediate : hidden]),
    ).flat(),
    ["position.scale", fixture.maxTokens],
    ["word.scale", vocabulary],
  ];
}

/** The files of the tiny model, by name. Each layer is a shard; positions and words stand behind the last one. */
export const tinyFiles: { readonly [name in "engine.bin" | "weights-0.bin" | "weights-1.bin"]: Bytes } = makeFiles();

function makeFiles() {
  const next = generator();
  const weights = new Int8Array(layers * layerWeights + tableRows * hidden);
  for (let i = 0; i < weights.length; i++) weights[i] = ((next() >>> 24) % 255) - 127;
  const floats = floatTensors().flatMap(([name, count]) => {
    const [, range] = Object.entries(fixture.floats).find(([ending]) => name.endsWith(ending)) ?? [];
    if (!range) throw new Error(`the fixture has no range for ${name}`);
    return Array.from({ length: count }, () => range.base + ((next() >>> 16) - 32768) * range.step);
  });
  const bytes = new Uint8Array(weights.buffer);
  return {
    "engine.bin": new Uint8Array(Float32Array.from(floats).buffer),
    "weights-0.bin": bytes.slice(0, layerWeights),
    "weights-1.bin": bytes.slice(layerWeights),
  };
}

export type FilesByName = Readonly<Record<string, Bytes>>;

/** Files for the engine, with a record of what it asked for. */
export function filesOf(
  files: FilesByName = tinyFiles,
  shards: readonly string[] = ["weights-0.bin", "weights-1.bin"],
): EngineFiles & { readonly loaded: string[] } {
  const loaded: string[] = [];
  return {
    parameters: "engine.bin",
    shards,
    loaded,
    async load(name) {
      loaded.push(name);
      return files[name] ?? Promise.reject(new Error(`no file ${name}`));
    },
  };
}

const bytesOf = (build: EngineBuild): Bytes => new Uint8Array(readFileSync(new URL(`../../dist/engine/${build}.wasm`, import.meta.url)));

/** As `npm run build` compiled them. */
export const buildBytes = { plain: bytesOf("plain"), checked: bytesOf("checked"), relaxed: bytesOf("relaxed") } satisfies EngineModules;

export async function loadTiny(build: EngineBuild, model = tinyModel(), files: EngineFiles = filesOf()): Promise<Engine> {
  return loadEngine(await WebAssembly.compile(buildBytes[build]), build, model, files);
}

/** A build with another constant: each place where this float32 stands, at least one, gets the other. */
export function withConstant(build: Bytes, from: number, to: number): Bytes {
  const [pattern, replacement] = [from, to].map((number) => new Uint8Array(Float32Array.of(number).buffer));
  if (!pattern || !replacement) throw new TypeError("two numbers make two patterns");
  const changed = build.slice();
  let places = 0;
  for (let at = 0; at + pattern.length <= build.length; at++) {
    if (!pattern.every((byte, i) => build[at + i] === byte)) continue;
    changed.set(replacement, at);
    places += 1;
  }
  if (places === 0) throw new Error(`the build has no constant ${from}`);
  return changed;
}

/** What a float32 is to the bit: equal bits are equal, -0 is not 0, and NaN is NaN. */
export const bitsOf = (vector: Float32Array): Uint32Array => new Uint32Array(vector.slice().buffer);
