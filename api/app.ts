import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { requestId } from "hono/request-id";
import { EncoderError } from "../shared/errors.ts";
import { respondWithError } from "./errors.ts";
import { requireApiKey } from "./middleware/api-keys.ts";
import { crossOrigin, securityHeaders } from "./middleware/headers.ts";
import { observe } from "./middleware/observe.ts";
import { addDescription, describedMethods } from "./openapi.ts";
import { embedRoutes } from "./routes/embed.ts";
import { infoRoutes } from "./routes/info.ts";
import { openAIRoutes } from "./routes/openai.ts";
import { searchRoutes } from "./routes/search.ts";
import { similarityRoutes } from "./routes/similarity.ts";
import { tokenizeRoutes } from "./routes/tokenize.ts";
import type { Service } from "./service.ts";

/** What an API key opens. All else is open: the page, `/health`, `/metrics`, and what describes the API. */
const guardedPaths = ["/embed", "/similarity", "/tokenize", "/search", "/info", "/v1/*"];

/**
 * The HTTP service over an encoder. Nothing here loads, tokenizes or encodes: that is the encoder's, on its own
 * threads where the platform has threads.
 */
export function createApp(service: Service): OpenAPIHono {
  const { maxBodyBytes, apiKeys, corsOrigins } = service.config;
  const app = new OpenAPIHono();
  app.onError((error, c) => respondWithError(c, error));
  app.notFound((c) => respondWithError(c, new EncoderError("not_found", "There is nothing at this path")));
  // The order counts: what is observed first sees every answer, a preflight brings no key, and nobody's body is read
  // before his key is known.
  app.use(requestId({ limitLength: 128 }));
  if (service.observer) app.use(observe(service.observer));
  app.use(securityHeaders());
  if (corsOrigins.length > 0) app.use(crossOrigin(corsOrigins));
  if (apiKeys.length > 0) {
    for (const path of guardedPaths) app.use(path, requireApiKey(apiKeys));
    app.post("/", requireApiKey(apiKeys));
  }
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => {
        throw new EncoderError("body_too_large", `The body has more than ${maxBodyBytes} bytes`, { limit: maxBodyBytes });
      },
    }),
  );
  if (service.metrics) app.get("/metrics", service.metrics);
  for (const routes of [embedRoutes, similarityRoutes, tokenizeRoutes, infoRoutes]) app.route("/", routes(service));
  if (service.search) app.route("/", searchRoutes(service.search));
  app.route("/v1", openAIRoutes(service));
  addDescription(app, service);
  refuseOtherMethods(app);
  return app;
}

/** Answers 405 where a path is right and its method is not. */
function refuseOtherMethods(app: OpenAPIHono): void {
  for (const [path, methods] of describedMethods(app)) {
    const allow = Array.from(methods).join(", ");
    app.all(path, async (c, next) => {
      // Reading "/" is asking for the page, which a platform may add.
      if (path === "/" && (c.req.method === "GET" || c.req.method === "HEAD")) return next();
      c.header("allow", allow);
      throw new EncoderError("method_not_allowed", `This path takes ${allow}, not ${c.req.method}`);
    });
  }
}
