import checkedEngine from "../../dist/engine/checked.wasm";
import { checkedFiles, type LoadFile } from "../../shared/encoder/bundled-model.ts";
import type { OpenModel } from "../../shared/encoder/encoder.ts";
import { parseManifest } from "../../shared/encoder/manifest.ts";
import { openWasmModel } from "../../shared/encoder/wasm-model.ts";
import { EncoderError } from "../../shared/errors.ts";
import { createApp } from "../app.ts";
import { appConfigOf, appSettings, count, parseSettings, seconds } from "../settings.ts";
import { createIsolateEncoder } from "./isolate-encoder.ts";

interface Bindings {
  /** The built site, the model's files included. */
  readonly ASSETS: Fetcher;
}

/**
 * The settings at the edge: variables of wrangler.toml, and secrets. Named as on Node, and narrower where 128 MB and one
 * thread are all there is.
 */
const edgeSettings = appSettings.extend({
  /** A tokenizer has to read all of it, whatever the texts are cut to, and `/tokenize` to tell of all. */
  MAX_BODY_BYTES: count.min(1).default(256 * 1024),
  /** The most tokens of a request: see wrangler.toml, where it stands beside the limit of CPU time. */
  MAX_TOKENS: count.min(1).default(8_192),
  QUEUE_TEXTS: count.min(1).default(1_024),
  QUEUE_TOKENS: count.min(1).default(16_384),
  REQUEST_TIMEOUT: seconds.default(60),
});

/** Where the site keeps the model's files. A binding needs a URL, but of it only the path counts. */
const modelUrl = "https://assets.invalid/models/bge-small-en-v1.5/";

/** Made by the first request, for all that follow: the model is loaded once for each isolate. */
let app: ReturnType<typeof createApp> | null = null;

export default {
  fetch(request, bindings, context) {
    app ??= createEdgeApp(bindings);
    return app.fetch(request, { ...bindings }, context);
  },
} satisfies ExportedHandler<Bindings>;

/** Throws `SettingsError`, for the platform to log: with wrong settings nothing is answered, least of all without a key. */
function createEdgeApp({ ASSETS, ...variables }: Bindings): ReturnType<typeof createApp> {
  const settings = parseSettings(edgeSettings, variables);
  const encoder = createIsolateEncoder(openModel(ASSETS), {
    requestTokens: settings.MAX_TOKENS,
    queue: { texts: settings.QUEUE_TEXTS, tokens: settings.QUEUE_TOKENS },
    requestTimeout: settings.REQUEST_TIMEOUT * 1000,
  });
  const edgeApp = createApp({ encoder, config: appConfigOf(settings) });
  edgeApp.get("/", async ({ req }) => {
    const page = await ASSETS.fetch(req.raw);
    return new Response(page.body, page); // a copy, whose headers can be added to
  });
  return edgeApp;
}

/** Opens the model on this isolate's one thread. The files come one after the other, since an isolate has 128 MB. */
function openModel(assets: Fetcher): OpenModel {
  const load: LoadFile = async (name) => {
    const response = await assets.fetch(modelUrl + name);
    if (!response.ok) throw new EncoderError("load_failed", `The site answered ${response.status} for the model's file ${name}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  return async () => {
    const manifest = parseManifest(JSON.parse(new TextDecoder().decode(await load("manifest.json"))));
    const open = openWasmModel({
      manifest,
      load: checkedFiles(manifest, load),
      modules: { checked: checkedEngine },
      // Garbage collection may take its time, and the isolate is filled meanwhile.
      release: ({ buffer }) => void buffer.transfer(0),
    });
    return open();
  };
}
