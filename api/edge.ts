import { openEdgeModel } from "../shared/encoder/sessions/edge.ts";
import { EncoderError } from "../shared/errors.ts";
import { createApp } from "./app.ts";
import { appConfigOf, appSettings, count, parseSettings, seconds } from "./app-settings.ts";
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
  const load = async (name: string): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await ASSETS.fetch(modelUrl + name);
    if (!response.ok) throw new EncoderError("load_failed", `The site answered ${response.status} for the model's file ${name}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const encoder = createIsolateEncoder(openEdgeModel(load), {
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
