import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Handler } from "hono";
import { errorResponseSchema, openAIErrorResponseSchema } from "../shared/contract.ts";
import type { Service } from "./service.ts";
import { version } from "./version.ts";

/**
 * Adds a route and its OpenAPI description. The description does not validate requests: routes call `readBody`, whose errors name the
 * invalid field.
 */
export function addRoute(routes: OpenAPIHono, route: RouteConfig & { method: "get" | "post" }, handler: Handler): void {
  routes.openAPIRegistry.registerPath(route);
  routes.on(route.method, honoPath(route.path), handler);
}

/** Describes a JSON request body. */
export function jsonBody(schema: z.ZodType) {
  return { body: { required: true, content: { "application/json": { schema } } } };
}

/** Describes a JSON response. */
export function jsonAnswer(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

/** Response headers of routes that embed texts. */
export const computeHeaders = z.object({
  "x-model-fingerprint": z.string().meta({ description: "Fingerprint of the model. Do not compare vectors with different fingerprints." }),
  "x-compute-tokens": z.string().meta({ description: "Tokens computed, after truncation, including special tokens and prompts." }),
  "x-compute-characters": z.string().meta({ description: "Code points of the texts." }),
  "x-truncated-inputs": z.string().meta({ description: "Number of truncated texts." }),
  "x-total-time": z.string().meta({ description: "Milliseconds from the arrival of the request to the response." }),
  "x-queue-time": z.string().meta({ description: "Milliseconds, averaged over the texts. Not sent when API keys are required." }),
  "x-inference-time": z.string().meta({ description: "Milliseconds, averaged over the texts. Not sent when API keys are required." }),
});

const failures = {
  400: "The body is not valid JSON, or the input is empty.",
  401: "The API key is missing or invalid.",
  404: "The model is not available.",
  408: "The request did not arrive in time.",
  413: "The body is too large. Outside /v1 also: too many texts, a text that is too long, or more dimensions than the model has.",
  415: "The content type is not JSON.",
  421: "The service does not accept this host name.",
  422: "The body does not match the schema, or a text is not valid Unicode.",
  424: "Inference failed for a text.",
  429: "The service is overloaded, or the API key exceeds its rate limit. Retry after `retry-after` seconds.",
  500: "Internal error.",
  503: "The model or the index is not available.",
  504: "The request timed out.",
};

/** Error responses of routes that use the model, in the format of Text Embeddings Inference. */
export const computeFailures = failureAnswers(errorResponseSchema, [400, 401, 408, 413, 415, 421, 422, 424, 429, 500, 503, 504]);

/** The same in OpenAI's format, which uses fewer statuses. */
export const openAIComputeFailures = failureAnswers(openAIErrorResponseSchema, [400, 401, 404, 408, 413, 415, 421, 429, 500, 503, 504]);

/** Describes error responses with the given statuses. */
export function failureAnswers(schema: z.ZodType, statuses: readonly (keyof typeof failures)[]) {
  return Object.fromEntries(statuses.map((status) => [status, jsonAnswer(failures[status], schema)]));
}

/** Adds `GET /openapi.json`. It describes all routes that exist at the first request. */
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
        description: "One text, one vector, everywhere. Implements the APIs of Text Embeddings Inference and, under /v1, of OpenAI.",
      },
      security: guarded ? [{ apiKey: [] }] : [],
    });
    return c.json(description);
  });
}

/** Returns the supported methods of each described path, keyed by Hono path. */
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

/** Converts an OpenAPI path such as `/models/{model}` to a Hono path. A model id may contain slashes. */
function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1{.+}");
}
