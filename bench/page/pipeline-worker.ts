/** transformers.js in a worker, as in its documentation. */
import { env, type FeatureExtractionPipeline, pipeline } from "@huggingface/transformers";
import { expose } from "comlink";
import factoryUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import type { PageMethod } from "../page-protocol.ts";

type PipelineMethod = Extract<PageMethod, { readonly encoder: "pipeline" }>;

let loaded: { readonly extract: FeatureExtractionPipeline; readonly textsPerCall: number } | null = null;

const worker = {
  async load({ textsPerCall, model: { name, served } }: PipelineMethod): Promise<void> {
    // The build that transformers.js uses in Chromium, from this server instead of a CDN.
    if (env.backends.onnx.wasm) env.backends.onnx.wasm.wasmPaths = { mjs: factoryUrl, wasm: wasmUrl };
    if (served !== null) {
      // Like on the hub: transformers.js caches only remote files.
      env.allowLocalModels = false;
      env.remoteHost = new URL(served, self.location.href).href;
      env.remotePathTemplate = "{model}/";
    }
    const extract = await pipeline("feature-extraction", name, { device: "wasm", dtype: "q8" });
    loaded = { extract, textsPerCall };
  },
  async embed(texts: readonly string[]): Promise<number[][]> {
    if (!loaded) throw new Error("Nothing is loaded");
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
