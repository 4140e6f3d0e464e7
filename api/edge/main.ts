import { waitUntil } from "cloudflare:workers";
import checkedEngine from "../../dist/engine/checked.wasm";
import { checkedFiles, type LoadFile } from "../../shared/encoder/bundled-model.ts";
import { parseManifest } from "../../shared/encoder/manifest.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { openWasmModel } from "../../shared/encoder/wasm-model.ts";
import { EncoderError } from "../../shared/errors.ts";
import { createApp } from "../app.ts";
import { appConfigOf, appSettings, count, parseSettings } from "../settings.ts";

interface Bindings {
  /** Static assets: the built site, including the model files. */
  readonly ASSETS: Fetcher;
}

/**
 * Settings of the edge isolate, from the variables of wrangler.toml and secrets. Names match Node.js; defaults are lower, because an
 * isolate has 128 MB and one thread.
 */
const edgeSettings = appSettings.extend({
  MAX_BODY_BYTES: count.min(1).default(256 * 1024),
  MAX_BODY_BYTES_IN_FLIGHT: count.min(1).default(2 * 1024 * 1024),
  MAX_TEXT_CHARACTERS: count.min(1).default(32_768),
  /** Maximum total characters of the texts of a request. The tokenizer reads all of them on the isolate's only thread. */
  MAX_CHARACTERS: count.min(1).default(65_536),
  MAX_TOKENIZE_CHARACTERS: count.min(1).default(16_384),
  /** Maximum tokens per request. wrangler.toml derives it from the CPU limit. */
  MAX_TOKENS: count.min(1).default(8_192),
  QUEUE_TEXTS: count.min(1).default(1_024),
  QUEUE_TOKENS: count.min(1).default(16_384),
});

/** URL of the model files. The binding requires an absolute URL but uses only its path. */
const modelUrl = "https://assets.invalid/models/bge-small-en-v1.5/";

/**
 * ms for loading the model. Must exceed the 30 s that an isolate may work after the client disconnects: I/O and timers stop with the
 * request that started them, so that a load that times out is no longer running.
 */
const loadTimeout = 45_000;

/** Created by the first request. Each isolate loads the model once. */
let app: ReturnType<typeof createApp> | null = null;

export default {
  async fetch(request, bindings, context) {
    app ??= createEdgeApp(bindings);
    const response = Promise.resolve(app.fetch(request, { ...bindings }, context));
    // Keeps the isolate running after a disconnect, so that the aborted call leaves the queue.
    context.waitUntil(response);
    return response;
  },
} satisfies ExportedHandler<Bindings>;

/** Throws `SettingsError`, which the platform logs. No request is served then, so that a mistake in API_KEYS never opens the API. */
function createEdgeApp({ ASSETS, ...variables }: Bindings): ReturnType<typeof createApp> {
  const settings = parseSettings(edgeSettings, variables);
  if (settings.API_KEYS.length === 0)
    console.warn(JSON.stringify({ level: "warn", msg: "API_KEYS is not set: the API is open to everyone", open: true }));
  const openModel = createOpenModel(ASSETS);
  const open: OpenModel = () => {
    const opening = openModel();
    waitUntil(opening.catch(() => {}));
    return opening;
  };
  const encoder = createSessionEncoder(open, {
    maxCallTokens: settings.MAX_TOKENS,
    // No limit by measured rate: an isolate's clock does not advance during computation.
    maxTokens: settings.QUEUE_TOKENS,
    loadTimeout,
  });
  const edgeApp = createApp({ encoder, config: { ...appConfigOf(settings), maxCharacters: settings.MAX_CHARACTERS } });
  edgeApp.get("/", async ({ req }) => {
    const page = await ASSETS.fetch(req.raw);
    return new Response(page.body, page); // a copy with mutable headers
  });
  return edgeApp;
}

/** Opens the model on the isolate's only thread. Files are loaded one at a time, because an isolate has 128 MB. */
function createOpenModel(assets: Fetcher): OpenModel {
  const load: LoadFile = async (name) => {
    const response = await assets.fetch(modelUrl + name);
    if (!response.ok) throw new EncoderError("load_failed", `The request for the model file ${name} failed with status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  return async () => {
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(await load("manifest.json"))));
    const open = openWasmModel({
      manifest,
      load: checkedFiles(manifest, load),
      modules: { checked: checkedEngine },
      // Frees the memory at once: waiting for garbage collection could exceed the isolate's limit.
      release: ({ buffer }) => void buffer.transfer(0),
    });
    return open();
  };
}
