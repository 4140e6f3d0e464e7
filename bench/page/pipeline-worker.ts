/** transformers.js as its documentation shows it: in a worker of its own, which keeps the page free. */
import { env, type FeatureExtractionPipeline, pipeline } from "@huggingface/transformers";
import { expose } from "comlink";
import factoryUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import type { Method } from "../bench-page.ts";

type PipelineMethod = Extract<Method, { readonly encoder: "pipeline" }>;

let loaded: { readonly extract: FeatureExtractionPipeline; readonly textsPerCall: number } | null = null;

const worker = {
  async load({ device, textsPerCall, model: { name, served } }: PipelineMethod): Promise<void> {
    // The build that it takes by itself in Chromium, from this page's server instead of a content network.
    if (env.backends.onnx.wasm) env.backends.onnx.wasm.wasmPaths = { mjs: factoryUrl, wasm: wasmUrl };
    if (served !== null) {
      // As from the hub, which is where it keeps what it has downloaded for the next visit.
      env.allowLocalModels = false;
      env.remoteHost = new URL(served, self.location.href).href;
      env.remotePathTemplate = "{model}/";
    }
    const extract = await pipeline("feature-extraction", name, { device, dtype: device === "webgpu" ? "fp32" : "q8" });
    loaded = { extract, textsPerCall };
  },
  async embed(texts: readonly string[]): Promise<number[][]> {
    if (!loaded) throw new Error("Nothing has been loaded");
    const { extract, textsPerCall } = loaded;
    const vectors: number[][] = [];
    for (let start = 0; start < texts.length; start += textsPerCall) {
      const pooled = await extract(texts.slice(start, start + textsPerCall), { pooling: "cls", normalize: true });
      vectors.push(...(pooled.tolist() as number[][]));
    }
    return vectors;
  },
};

export type Pipeline = typeof worker;

expose(worker);
