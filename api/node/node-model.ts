import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkedFiles, openedBundledModel } from "../../shared/encoder/bundled-model.ts";
import { type Manifest, parseManifest } from "../../shared/encoder/manifest.ts";
import type { OpenedModel, OpenModel } from "../../shared/encoder/model-runner.ts";
import { openWasmModel } from "../../shared/encoder/wasm-model.ts";
import type { EngineModules } from "../../shared/engine/builds.ts";
import { EncoderError } from "../../shared/errors.ts";
import { importNativeRuntime, type NativeRuntime, openNativeSession } from "./native-session.ts";

export interface NodeModelOptions {
  /** Folder of the model's manifest and files. */
  readonly directory: string;
  /** Folder of the WebAssembly engine's builds. */
  readonly engineDirectory: string;
  /** Default: `native` if onnxruntime-node can be imported, otherwise `wasm`. */
  readonly device?: "native" | "wasm" | undefined;
}

/** Opens a bundled model in Node.js. Rejects with `device_unavailable` when `device` is `native` and onnxruntime-node is missing. */
export function openNodeModel(options: NodeModelOptions): OpenModel {
  return async () => {
    const { directory, device } = options;
    const manifest = parseManifest(JSON.parse(await readFile(join(directory, "manifest.json"), "utf8")));
    if (device !== "wasm") {
      const runtime = await importNativeRuntime().catch((error: unknown) => {
        if (device === undefined) return null;
        const reason = error instanceof Error ? error.message : String(error);
        throw new EncoderError("device_unavailable", `onnxruntime-node cannot be imported: ${reason}`, {}, { cause: error });
      });
      if (runtime) return openNative(runtime, manifest, directory, false);
    }
    return openWasmModel({
      manifest,
      load: checkedFiles(manifest, readerOf(directory)),
      modules: await readModules(options.engineDirectory),
    })();
  };
}

async function openNative(runtime: NativeRuntime, manifest: Manifest, directory: string, exactProducts: boolean): Promise<OpenedModel> {
  const session = await openNativeSession(runtime, manifest, directory, exactProducts);
  const mayHelp = process.arch === "x64" && !exactProducts;
  const otherwise = mayHelp ? () => openNative(runtime, manifest, directory, true) : null;
  return openedBundledModel(manifest, checkedFiles(manifest, readerOf(directory)), session, otherwise);
}

const readerOf = (directory: string) => async (name: string) => new Uint8Array(await readFile(join(directory, name)));

async function readModules(directory: string): Promise<EngineModules> {
  const read = readerOf(directory);
  return { plain: await read("plain.wasm"), checked: await read("checked.wasm"), relaxed: await read("relaxed.wasm") };
}
