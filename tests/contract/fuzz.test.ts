import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { arbitraryOf, inlined, type JsonSchema } from "./json-schema.ts";
import { ServerProcess } from "./server-process.ts";

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly body: fc.Arbitrary<unknown>;
  /** What its answers must be, by status. */
  readonly answers: ReadonlyMap<number, z.ZodType>;
  /** How a counterexample shows it. */
  readonly [fc.toStringMethod]: () => string;
}

interface Description {
  readonly paths: Record<string, Record<string, DescribedOperation>>;
  readonly components: { readonly schemas: Record<string, JsonSchema> };
}

interface DescribedOperation {
  readonly requestBody?: { readonly content: JsonContent };
  readonly responses: Record<string, { readonly content: JsonContent }>;
}

type JsonContent = { readonly "application/json": { readonly schema: JsonSchema } };

let server: ServerProcess;
let operations: readonly Operation[];
/** Of paths and methods that are not described, by whether they are below `/v1`. */
let errors: { readonly tei: z.ZodType; readonly openAI: z.ZodType };

beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "2", LOG_LEVEL: "silent", MAX_TEXTS: "8", MAX_TEXT_CHARACTERS: "200" });
  const { paths, components } = (await (await fetch(`${server.url}/openapi.json`)).json()) as Description;
  const schemaOf = ({ "application/json": { schema } }: JsonContent) => inlined(schema, components.schemas);
  const checkOf = (schema: JsonSchema) => z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema);
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody, responses }]) => ({
      method: method.toUpperCase(),
      path,
      body: requestBody ? arbitraryOf(schemaOf(requestBody.content)) : fc.constant(undefined),
      answers: new Map(Object.entries(responses).map(([status, { content }]) => [Number(status), checkOf(schemaOf(content))])),
      [fc.toStringMethod]: () => `${method} ${path}`,
    })),
  );
  errors = {
    tei: checkOf(inlined({ $ref: "#/components/schemas/Error" }, components.schemas)),
    openAI: checkOf(inlined({ $ref: "#/components/schemas/OpenAIError" }, components.schemas)),
  };
});
afterAll(() => server?.stop());

const anOperation = fc.nat().map((n) => operations[n % operations.length] ?? expect.fail("nothing is described"));

/** Sends a request and checks the answer. Gives its status. */
async function answered(operation: Operation | null, path: string, init: RequestInit): Promise<number> {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  expect(response.status, text).toBeLessThan(500);
  if (init.method === "HEAD" || (response.ok && !operation)) return response.status;
  expect(response.headers.get("content-type")).toBe("application/json");
  const described = operation?.answers.get(response.status);
  if (operation) expect(described, `${operation.method} ${operation.path} may answer ${response.status}`).toBeDefined();
  const schema = described ?? (/^\/v1(\/|$)/.test(path) ? errors.openAI : errors.tei);
  expect(schema.safeParse(JSON.parse(text)).error, text).toBeUndefined();
  return response.status;
}

/** Sends `body` to an operation that takes one, as JSON unless it is bytes already. */
const send = (operation: Operation, body: unknown, headers: Record<string, string> = {}) =>
  answered(operation, operation.path.replace("{model}", "bge-small-en-v1.5"), {
    method: operation.method,
    headers: { "content-type": "application/json", ...headers },
    ...(operation.method === "POST" && { body: body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body) }),
  });

describe("whatever is sent, the answer is one that /openapi.json describes, and no fault of the service", () => {
  test("bodies as described are computed, or refused for what a schema cannot say", async () => {
    const statuses = new Map<string, number>();
    const asDescribed = anOperation.chain((operation) => operation.body.map((body) => ({ operation, body })));
    await fc.assert(
      fc.asyncProperty(asDescribed, async ({ operation, body }) => {
        const status = await send(operation, body);
        const key = `${operation.path} ${status}`;
        statuses.set(key, (statuses.get(key) ?? 0) + 1);
      }),
      { numRuns: 400 },
    );
    // Nothing would be proved were all of them refused.
    for (const { path } of operations) expect(statuses.get(`${path} 200`), path).toBeGreaterThan(0);
  });

  test("bodies with a part that is something else", async () => {
    const mutated = anOperation
      .filter(({ method }) => method === "POST")
      .chain((operation) =>
        fc
          .tuple(operation.body, fc.nat(), fc.oneof(fc.jsonValue(), fc.constant(undefined)))
          .map(([body, place, other]) => ({ operation, body: withPartReplaced(body, place, other) })),
      );
    await fc.assert(
      fc.asyncProperty(mutated, async ({ operation, body }) => {
        await send(operation, body ?? null);
      }),
      { numRuns: 300 },
    );
  });

  test("bodies that are not JSON, and headers of any kind", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.json().map((json) => new TextEncoder().encode(json)),
      fc.tuple(fc.json(), fc.nat(64)).map(([json, length]) => new TextEncoder().encode(json.slice(0, length))),
    );
    const value = fc.string({ unit: "grapheme-ascii", maxLength: 40 }).filter((value) => !/[\r\n\0]/.test(value));
    const headers = fc.dictionary(
      fc.constantFrom("content-type", "accept", "authorization", "x-request-id", "origin", "content-encoding", "if-none-match", "range"),
      value,
    );
    await fc.assert(
      fc.asyncProperty(
        anOperation.filter(({ method }) => method === "POST"),
        bytes,
        headers,
        async (operation, body, headers) => {
          await send(operation, body, headers);
        },
      ),
      { numRuns: 250 },
    );
  });

  test("paths and methods that are not there", async () => {
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND");
    const segment = fc.oneof(
      fc.constantFrom("embed", "v1", "models", "embeddings", "docs", "assets", "..", "%", "%00", "%ff", "%2e%2e", "%2f", "index.html", ""),
      fc.string({ maxLength: 8 }).map(encodeURIComponent),
    );
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
    await fc.assert(
      fc.asyncProperty(method, path, async (method, path) => {
        // As it is sent: without dots that `fetch` resolves.
        const { pathname } = new URL(`${server.url}${path}`);
        await answered(null, pathname, { method, ...(method !== "GET" && method !== "HEAD" && { body: "{}" }) });
      }),
      { numRuns: 300 },
    );
  });

  test("and afterwards it is as well as before", async () => {
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ status: "ok" });
    expect((await server.embed({ inputs: "still here" })).status).toBe(200);
  });
});

/** `body` with one of its parts, or all of it, being `other`; undefined leaves the part out. */
function withPartReplaced(body: unknown, place: number, other: unknown): unknown {
  const copy = structuredClone(body);
  const places: { in: Record<string, unknown>; key: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      places.push({ in: value as Record<string, unknown>, key });
      visit(part);
    }
  };
  visit(copy);
  const chosen = places[place % (places.length + 1)];
  if (!chosen) return other;
  chosen.in[chosen.key] = other;
  return copy;
}
