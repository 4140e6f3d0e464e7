import { waitUntil } from "cloudflare:workers";
import { type CallOptions, createSessionEncoder, type Encoder, type OpenModel } from "../shared/encoder/encoder.ts";
import { openEdgeModel } from "../shared/encoder/sessions/edge.ts";
import { EncoderError } from "../shared/errors.ts";
import { createApp, defaultConfig } from "./app.ts";
import { respondWithError } from "./errors.ts";

interface Bindings {
  /** The built site, the model's files included. */
  readonly ASSETS: Fetcher;
}

/** Where the site keeps the model's files. A binding needs a URL, but of it only the path counts. */
const modelUrl = "https://assets.invalid/models/bge-small-en-v1.5/";

/** Longer than an isolate works for a client that has gone (30 s), so that a load given up is one that has stopped. */
const loadTimeoutMs = 45_000;

/** Made by the first request, for all that follow: the model is loaded once for each isolate. */
let app: ReturnType<typeof createApp> | null = null;

export default {
  fetch(request, bindings, context) {
    app ??= createEdgeApp(bindings);
    return app.fetch(request, { ...bindings }, context);
  },
} satisfies ExportedHandler<Bindings>;

function createEdgeApp({ ASSETS }: Bindings): ReturnType<typeof createApp> {
  const load = async (name: string): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await ASSETS.fetch(modelUrl + name);
    if (!response.ok) throw new EncoderError("load_failed", `The site answered ${response.status} for the model's file ${name}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const edgeApp = createApp({ encoder: isolateEncoder(openEdgeModel(load)), config: defaultConfig });
  edgeApp.get("/", async (c) => {
    const page = await ASSETS.fetch(c.req.raw);
    // Copied: to the headers of an answer that was fetched nothing can be added.
    return new Response(page.body, page);
  });
  edgeApp.notFound((c) => respondWithError(c, new EncoderError("not_found", "There is nothing at this path")));
  return edgeApp;
}

/**
 * The session encoder, for an isolate. There, input and output belong to the request that began it and stop with it:
 * a load whose client hangs up would never settle, and all others would wait for it for ever. So a load outlives its
 * request by `waitUntil`, and every wait for one has an end, after which the load is forgotten and the next call begins
 * another. Runs need no such care: they compute without input or output, and so never stop half way.
 */
function isolateEncoder(open: OpenModel): Encoder {
  const openToTheEnd: OpenModel = (options) => {
    const opening = open(options);
    waitUntil(opening.catch(() => {}));
    return opening;
  };
  let encoder = createSessionEncoder(openToTheEnd);

  const loaded = async ({ signal }: CallOptions = {}): Promise<Encoder> => {
    const awaited = encoder;
    const timeout = AbortSignal.timeout(loadTimeoutMs);
    try {
      await awaited.load({ signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
      return awaited;
    } catch (error) {
      if (error !== timeout.reason) throw error;
      if (encoder === awaited) {
        encoder = createSessionEncoder(openToTheEnd);
        // Should it come to an end after all, it frees its memory.
        void awaited.dispose();
      }
      throw new EncoderError("timeout", `The model was not loaded within ${loadTimeoutMs / 1000} s`);
    }
  };

  return {
    load: async (options) => (await loaded(options)).load(),
    embed: async (texts, options) => (await loaded(options)).embed(texts, options),
    countTokens: async (texts, options) => (await loaded(options)).countTokens(texts, options),
    tokenize: async (texts, options) => (await loaded(options)).tokenize(texts, options),
    info: () => encoder.info(),
    dispose: () => encoder.dispose(),
  };
}
