import type { Manifest } from "../../../shared/encoder/manifest.ts";
import { compileBuilds, type EngineModules } from "../../../shared/engine/builds.ts";
import { loadEngine } from "../../../shared/engine/engine.ts";
import type { EngineFiles } from "../../../shared/engine/weights.ts";
import { finishVector } from "../../../shared/vector.ts";

/** What every host is given, as `task.json`. */
export interface Task {
  readonly manifest: Manifest;
  /** Token ids of each text. */
  readonly texts: readonly (readonly number[])[];
  /** How many of them, from the first on, the builds compute that are not the host's first choice. */
  readonly few: number;
}

export interface Results {
  /** The builds that the host validates. */
  readonly valid: readonly string[];
  /** Of each build that the encoder would use, in the order of its choice: normalized vectors as float32, little endian, in hex. */
  readonly computed: readonly { readonly build: string; readonly vectors: string }[];
}

/** Computes a task as the encoder does after tokenization. It needs no more of a host than WebAssembly. */
export async function compute(task: Task, modules: EngineModules, load: EngineFiles["load"]): Promise<Results> {
  const { manifest, texts, few } = task;
  const computed: { build: string; vectors: string }[] = [];
  for (const { build, module } of await compileBuilds(modules)) {
    const engine = await loadEngine(module, build, manifest, { parameters: manifest.devices.wasm.file, shards: manifest.weights, load });
    const share = computed.length === 0 ? texts : texts.slice(0, few);
    const vectors = share.flatMap((ids) => engine.run([ids])).map((vector) => hexOf(finishVector(vector, manifest.dimensions, true)));
    computed.push({ build, vectors: vectors.join("") });
  }
  const isValid = (source: unknown) => source instanceof WebAssembly.Module || WebAssembly.validate(source as Uint8Array<ArrayBuffer>);
  return { valid: Object.entries(modules).flatMap(([build, source]) => (isValid(source) ? [build] : [])), computed };
}

/** float32, little endian, on every host. */
export function hexOf(vector: Float32Array<ArrayBuffer>): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [i, component] of vector.entries()) view.setFloat32(i * 4, component, true);
  return Array.from(new Uint8Array(view.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
