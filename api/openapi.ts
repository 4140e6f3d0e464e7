import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Handler } from "hono";
import { errorResponseSchema, openAIErrorResponseSchema } from "../shared/contract.ts";
import type { Service } from "./service.ts";
import { version } from "./version.ts";

/**
 * Adds a route together with its description. The description checks nothing: routes read their bodies with `readBody`,
 * whose refusals say where a body is wrong.
 */
export function addRoute(routes: OpenAPIHono, route: RouteConfig & { method: "get" | "post" }, handler: Handler): void {
  routes.openAPIRegistry.registerPath(route);
  routes.on(route.method, honoPath(route.path), handler);
}

/** A request's body in a description. */
export function jsonBody(schema: z.ZodType) {
  return { body: { required: true, content: { "application/json": { schema } } } };
}

/** An answer's body in a description. */
export function jsonAnswer(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

/** The headers of an answer that holds vectors, or what was made of them. */
export const computeHeaders = z.object({
  "x-model-fingerprint": z.string().meta({ description: "Vectors of different fingerprints must not be compared." }),
  "x-compute-tokens": z.string().meta({ description: "Tokens computed: special tokens and prompts included, after any cut." }),
  "x-compute-characters": z.string().meta({ description: "Code points of the texts as they were sent." }),
  "x-truncated-inputs": z.string().meta({ description: "How many texts were cut." }),
  "x-total-time": z.string().meta({ description: "ms, from the request's arrival." }),
  "x-queue-time": z.string().meta({ description: "ms, the mean over the texts. Not where API keys are asked for." }),
  "x-inference-time": z.string().meta({ description: "ms, the mean over the texts. Not where API keys are asked for." }),
});

const failures = {
  400: "The body is not JSON, or holds no text.",
  401: "An API key is needed, and none or another was sent.",
  404: "The model is not served here.",
  408: "The request did not arrive in time.",
  413: "The body is too large; not under /v1 also: too many texts, a text too long, more dimensions than there are.",
  415: "The content type is not JSON.",
  421: "The service does not answer under this host name.",
  422: "The body is not as described, or a text is not valid Unicode.",
  424: "The model failed on a text.",
  429: "Too much waits already, or this key asks too often; try again after `retry-after` s.",
  500: "A fault of the service.",
  503: "The model is not there.",
  504: "Not computed in time.",
};

/** How a route that computes may fail, in the form of Text Embeddings Inference. */
export const computeFailures = failureAnswers(errorResponseSchema, [400, 401, 408, 413, 415, 421, 422, 424, 429, 500, 503, 504]);

/** The same in OpenAI's form, which knows fewer statuses. */
export const openAIComputeFailures = failureAnswers(openAIErrorResponseSchema, [400, 401, 404, 408, 413, 415, 421, 429, 500, 503, 504]);

/** How a route may fail in other ways. */
export function failureAnswers(schema: z.ZodType, statuses: readonly (keyof typeof failures)[]) {
  return Object.fromEntries(statuses.map((status) => [status, jsonAnswer(failures[status], schema)]));
}

/** `GET /openapi.json`: the description of all routes added before it is first asked for. */
export function addDescription(app: OpenAPIHono, { config }: Service): void {
  const guarded = config.apiKeys.length > 0;
  if (guarded) app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", { type: "http", scheme: "bearer" });
  let description: object | null = null;
  app.get("/openapi.json", (c) => {
    description ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Samevec",
        version,
        description: "One text, one vector, everywhere. The routes of Text Embeddings Inference, and under /v1 those of OpenAI.",
      },
      security: guarded ? [{ apiKey: [] }] : [],
    });
    return c.json(description);
  });
}

/** The methods that each described path takes, by the path as Hono writes it. */
export function describedMethods(app: OpenAPIHono): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const path = honoPath(definition.route.path);
    const known = methods.get(path) ?? new Set();
    known.add(definition.route.method.toUpperCase());
    if (definition.route.method === "get") known.add("HEAD");
    methods.set(path, known);
  }
  return methods;
}

/** `/models/{model}` as Hono writes it. A model's id may have slashes. */
function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1{.+}");
}
