import { type CompiledBuild, compileBuilds, type EngineModules } from "../engine/builds.ts";
import { loadEngine, runLimits } from "../engine/engine.ts";
import type { EngineFiles } from "../engine/weights.ts";
import { type LoadFile, openedBundledModel } from "./bundled-model.ts";
import type { Manifest } from "./manifest.ts";
import type { OpenedModel, OpenModel } from "./model-runner.ts";
import type { Session } from "./session.ts";

/** Options of {@link openWasmModel}. */
export interface WasmModelOptions {
  readonly manifest: Manifest;
  readonly load: LoadFile;
  /** The engine's builds for this platform. */
  readonly modules: EngineModules;
  /** Called with bytes that are no longer needed: see {@link EngineFiles}. */
  readonly release?: NonNullable<EngineFiles["release"]>;
}

/**
 * Opens a bundled model on the WebAssembly engine, on one thread, in the fastest build that passes the self-test. Opening rejects with
 * `device_unavailable` without WebAssembly SIMD, with `integrity_failed` for a wrong file, and with `load_failed`.
 * @example
 * const encoder = createSessionEncoder(openWasmModel({ manifest, load: checkedFiles(manifest, load), modules: { plain } }));
 */
export function openWasmModel(options: WasmModelOptions): OpenModel {
  return async () => openFirstOf(await compileBuilds(options.modules), options);
}

async function openFirstOf([first, ...others]: CompiledBuild[], options: WasmModelOptions): Promise<OpenedModel> {
  if (!first) throw new TypeError("compileBuilds returned no build");
  const otherwise = others.length > 0 ? () => openFirstOf(others, options) : null;
  return openedBundledModel(options.manifest, options.load, openSession(first, options), otherwise);
}

async function openSession({ module, build }: CompiledBuild, { manifest, load, release }: WasmModelOptions): Promise<Session> {
  const engine = await loadEngine(module, build, manifest, {
    parameters: manifest.devices.wasm.file,
    shards: manifest.weights,
    load,
    ...(release && { release }),
  });
  return {
    device: "wasm",
    batch: runLimits,
    run: async (texts) => engine.run(texts),
    // The garbage collector frees memory and module.
    dispose: async () => {},
  };
}
