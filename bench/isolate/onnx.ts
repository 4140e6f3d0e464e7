/** The worker of api/edge/main.ts with ONNX Runtime Web instead of the engine, for comparison. */
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import * as onnxRuntime from "onnxruntime-web/wasm";
import { createApp } from "../../api/app.ts";
import { defaultConfig } from "../../api/service.ts";
import { checkedFiles, openedBundledModel } from "../../shared/encoder/bundled-model.ts";
import { parseManifest } from "../../shared/encoder/manifest.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { openOnnxSession } from "../engine-rivals.ts";

interface Bindings {
  readonly ASSETS: Fetcher;
}

let app: ReturnType<typeof createApp> | null = null;

export default {
  fetch(request, { ASSETS }, context) {
    app ??= createApp({ encoder: createSessionEncoder(openModel(ASSETS)), config: defaultConfig });
    return app.fetch(request, {}, context);
  },
} satisfies ExportedHandler<Bindings>;

function openModel(assets: Fetcher): OpenModel {
  return async () => {
    const read = async (name: string) => new Uint8Array(await (await assets.fetch(`https://assets.invalid/${name}`)).arrayBuffer());
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(await read("manifest.json"))));
    const load = checkedFiles(manifest, read);
    const session = await withCompiledRuntime((placeholder) => openOnnxSession(onnxRuntime, manifest, load, placeholder));
    // Native sessions run the same cpu.onnx, so their self-test applies.
    return openedBundledModel(manifest, load, { ...session, device: "native" }, null);
  };
}

/**
 * Runs `create` while `WebAssembly.instantiate` uses the compiled module for ONNX Runtime's call, since an isolate may not compile. The
 * call is recognized by the placeholder that replaces the runtime's WASM.
 */
async function withCompiledRuntime<Result>(create: (placeholder: ArrayBuffer) => Promise<Result>): Promise<Result> {
  const placeholder = new ArrayBuffer(1);
  // Typed without overloads: the arguments are passed on unchanged.
  const instantiate = WebAssembly.instantiate as (source: unknown, imports?: unknown) => Promise<unknown>;
  const answerWithRuntime = async (source: unknown, imports?: unknown): Promise<unknown> =>
    ArrayBuffer.isView(source) && source.buffer === placeholder
      ? { module: wasm, instance: await instantiate(wasm, imports) }
      : instantiate(source, imports);
  Object.assign(WebAssembly, { instantiate: answerWithRuntime });
  try {
    return await create(placeholder);
  } finally {
    Object.assign(WebAssembly, { instantiate });
  }
}
