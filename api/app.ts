import { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { requestId } from "hono/request-id";
import { EncoderError } from "../shared/errors.ts";
import { respondWithError } from "./errors.ts";
import { requireApiKey } from "./middleware/api-keys.ts";
import { limitBodiesInFlight } from "./middleware/body-budget.ts";
import { maxBodySize } from "./middleware/body-size.ts";
import { deadline } from "./middleware/deadline.ts";
import { crossOrigin, securityHeaders } from "./middleware/headers.ts";
import { requireKnownHost } from "./middleware/hosts.ts";
import { requireJsonBody } from "./middleware/json-bodies.ts";
import { observe } from "./middleware/observe.ts";
import { limitRate } from "./middleware/rate-limit.ts";
import { addDescription, describedMethods } from "./openapi.ts";
import { PendingTexts } from "./pending-texts.ts";
import { embedRoutes } from "./routes/embed.ts";
import { infoRoutes } from "./routes/info.ts";
import { openAIRoutes } from "./routes/openai.ts";
import { searchRoutes } from "./routes/search.ts";
import { similarityRoutes } from "./routes/similarity.ts";
import { tokenizeRoutes } from "./routes/tokenize.ts";
import type { AppConfig, Service } from "./service.ts";

/** Paths that require an API key. The page, `/health`, `/metrics` and the API description stay public. */
const apiPaths = ["/embed", "/similarity", "/tokenize", "/search", "/info", "/v1/*"];

/** Maximum bytes of the JSON around the texts of a body, and of a search: 1,000 filter values and 2,000 characters. */
const jsonBytes = 64 * 1024;
const searchBytes = 256 * 1024;

/** The paths that read a body, and the maximum bytes of it: parsing a larger one would block the event loop for nothing. */
const bodyLimitsOf = ({ maxBodyBytes, maxTokenizeCharacters }: AppConfig) => ({
  "/": maxBodyBytes,
  "/embed": maxBodyBytes,
  "/similarity": maxBodyBytes,
  "/v1/embeddings": maxBodyBytes,
  // A character has at most six bytes in JSON, as `\u0021`.
  "/tokenize": Math.min(maxBodyBytes, 6 * maxTokenizeCharacters + jsonBytes),
  "/search": Math.min(maxBodyBytes, searchBytes),
});

/**
 * Creates the HTTP API of an encoder. The encoder does all model work, outside this thread where the platform allows it. Handlers never
 * throw: errors become JSON responses with the status and code of an `EncoderError`.
 * @example
 * const app = createApp({ encoder, config: defaultConfig });
 * const response = await app.request("/embed", { method: "POST", body: JSON.stringify({ inputs: "how tides work" }) });
 */
export function createApp(service: Service): OpenAPIHono {
  const { maxBodyBytes, maxBodyBytesInFlight, maxPendingTexts, requestTimeout, apiKeys, rateLimit, corsOrigins } = service.config;
  const app = new OpenAPIHono();
  app.onError((error, c) => respondWithError(c, error));
  app.notFound((c) => respondWithError(c, new EncoderError("not_found", "No route matches this path")));
  // The order matters. The observer sees every response. CORS comes before authentication, because a preflight has no key. Host, key,
  // rate, content type, length and body budget are checked before the body is read.
  app.use(requestId({ limitLength: 128 }));
  if (service.observer) app.use(observe(service.observer));
  app.use(securityHeaders());
  if (service.allowedHosts) app.use(requireKnownHost(service.allowedHosts));
  if (corsOrigins.length > 0) app.use(crossOrigin(corsOrigins));
  /** The page is at "/" too, for GET. */
  const useForApi = (middleware: MiddlewareHandler) => {
    for (const path of apiPaths) app.use(path, middleware);
    app.post("/", middleware);
  };
  if (apiKeys.length > 0) {
    useForApi(requireApiKey(apiKeys));
    if (rateLimit !== null) useForApi(limitRate(rateLimit));
  }
  const bodiesInFlight = limitBodiesInFlight({ maxBytes: maxBodyBytesInFlight, maxBodyBytes });
  for (const [path, maxBytes] of Object.entries(bodyLimitsOf(service.config))) {
    // The bodies in flight come before the size of one body, which reads those that do not declare their length.
    app.post(path, requireJsonBody(), bodiesInFlight, maxBodySize(maxBytes));
  }
  useForApi(deadline(requestTimeout));
  const pendingTexts = new PendingTexts(maxPendingTexts);
  if (service.metrics) app.get("/metrics", service.metrics);
  for (const routes of [embedRoutes, similarityRoutes, tokenizeRoutes]) app.route("/", routes(service, pendingTexts));
  app.route("/", infoRoutes(service));
  if (service.search) app.route("/", searchRoutes(service.search));
  app.route("/v1", openAIRoutes(service, pendingTexts));
  addDescription(app, service);
  refuseOtherMethods(app);
  return app;
}

/** Responds with 405 when the path exists but does not support the method. */
function refuseOtherMethods(app: OpenAPIHono): void {
  for (const [path, methods] of describedMethods(app)) {
    const allow = Array.from(methods).join(", ");
    app.all(path, async (c, next) => {
      // The platform may serve the page at "/".
      if (path === "/" && (c.req.method === "GET" || c.req.method === "HEAD")) return next();
      c.header("allow", allow);
      throw new EncoderError("method_not_allowed", `${c.req.method} is not supported. Use ${allow}`);
    });
  }
}
