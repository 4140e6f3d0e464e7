import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Encoder } from "../shared/encoder/encoder.ts";
import { EncoderError } from "../shared/errors.ts";
import { respondWithError } from "./errors.ts";
import { embedRoute } from "./routes/embed.ts";
import { healthRoute, infoRoute } from "./routes/info.ts";
import { openAIRoutes } from "./routes/openai.ts";

export interface AppConfig {
  /** The most texts of one request. */
  readonly maxTexts: number;
  /** The most bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** Names besides the model's own under which OpenAI clients may ask for it. */
  readonly modelAliases: readonly string[];
}

export const defaultConfig: AppConfig = { maxTexts: 1024, maxBodyBytes: 8 * 1024 * 1024, modelAliases: [] };

/** What the routes stand on: handed in, so that the app knows no platform. */
export interface Service {
  readonly encoder: Encoder;
  readonly config: AppConfig;
}

/**
 * The HTTP service over an encoder. Nothing here loads, tokenizes or encodes: that is the encoder's, on its own
 * threads where the platform has threads.
 */
export function createApp(service: Service): Hono {
  const { maxBodyBytes } = service.config;
  const app = new Hono();
  app.onError((error, c) => respondWithError(c, error));
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => {
        throw new EncoderError("body_too_large", `The body has more than ${maxBodyBytes} bytes`, { limit: maxBodyBytes });
      },
    }),
  );
  app.get("/health", healthRoute(service));
  app.get("/info", infoRoute(service));
  app.post("/embed", embedRoute(service));
  app.route("/v1", openAIRoutes(service));
  for (const path of ["/embed", "/v1/embeddings"]) {
    app.all(path, ({ req }) => {
      throw new EncoderError("method_not_allowed", `${path} takes POST, not ${req.method}`);
    });
  }
  return app;
}
