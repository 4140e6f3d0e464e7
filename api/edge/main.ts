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
  /** The built site, the model's files included. */
  readonly ASSETS: Fetcher;
}

/**
 * The settings at the edge: variables of wrangler.toml, and secrets. Named as in Node, with lower defaults, since an isolate has 128 MB
 * and one thread.
 */
const edgeSettings = appSettings.extend({
  MAX_BODY_BYTES: count.min(1).default(256 * 1024),
  MAX_BODY_BYTES_IN_FLIGHT: count.min(1).default(2 * 1024 * 1024),
  MAX_TEXT_CHARACTERS: count.min(1).default(32_768),
  /** Maximum characters of a request's texts: the tokenizer reads all of them, on the thread that answers. */
  MAX_CHARACTERS: count.min(1).default(65_536),
  MAX_TOKENIZE_CHARACTERS: count.min(1).default(16_384),
  /** Maximum tokens of a request: see wrangler.toml, where it stands beside the limit of CPU time. */
  MAX_TOKENS: count.min(1).default(8_192),
  QUEUE_TEXTS: count.min(1).default(1_024),
  QUEUE_TOKENS: count.min(1).default(16_384),
});

/** Where the site keeps the model's files. A binding needs a URL, but of it only the path counts. */
const modelUrl = "https://assets.invalid/models/bge-small-en-v1.5/";

/**
 * Longer than an isolate works for a client that has disconnected (30 s), so that a load that is given up has stopped: input, output and
 * timers belong to the request that began them, and stop with it.
 */
const loadTimeout = 45_000;

/** Created by the first request: the model is loaded once for each isolate. */
let app: ReturnType<typeof createApp> | null = null;

export default {
  async fetch(request, bindings, context) {
    app ??= createEdgeApp(bindings);
    const answer = Promise.resolve(app.fetch(request, { ...bindings }, context));
    // The work of a client that has disconnected must end too: an aborted call gives back its place in the queue.
    context.waitUntil(answer);
    return answer;
  },
} satisfies ExportedHandler<Bindings>;

/** Throws `SettingsError`, for the platform to log: with wrong settings nothing is answered, least of all without a key. */
function createEdgeApp({ ASSETS, ...variables }: Bindings): ReturnType<typeof createApp> {
  const settings = parseSettings(edgeSettings, variables);
  if (settings.API_KEYS.length === 0) console.warn(JSON.stringify({ level: "warn", msg: "open: no key", open: true }));
  const openModel = createOpenModel(ASSETS);
  const open: OpenModel = () => {
    const opening = openModel();
    waitUntil(opening.catch(() => {}));
    return opening;
  };
  const encoder = createSessionEncoder(open, {
    maxCallTokens: settings.MAX_TOKENS,
    // No limit by the measured rate: an isolate's clock stands still while it computes.
    maxTokens: settings.QUEUE_TOKENS,
    loadTimeout,
  });
  const edgeApp = createApp({ encoder, config: { ...appConfigOf(settings), maxCharacters: settings.MAX_CHARACTERS } });
  edgeApp.get("/", async ({ req }) => {
    const page = await ASSETS.fetch(req.raw);
    return new Response(page.body, page); // a copy, whose headers can be added to
  });
  return edgeApp;
}

/** Opens the model on this isolate's one thread. The files come one after the other, since an isolate has 128 MB. */
function createOpenModel(assets: Fetcher): OpenModel {
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
