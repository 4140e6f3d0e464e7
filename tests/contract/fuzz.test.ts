import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stringsOf, withPartReplaced } from "./body-parts.ts";
import { CommandLine } from "./command-line.ts";
import { arbitraryOf, inlined, type JsonSchema } from "./json-schema.ts";
import { largeValue } from "./large-values.ts";
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
let knownCodes: ReadonlySet<string>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "samevec-fuzz-"));
  server = await ServerProcess.start({ WORKERS: "2", LOG_LEVEL: "silent", INDEX_FILE: await makeIndex() });
  const documented = (await readFile(new URL("../../docs/api.md", import.meta.url), "utf8")).split("\n## Errors")[1] ?? "";
  knownCodes = new Set(Array.from(documented.matchAll(/`([a-z_]+)`/g), ([, code = ""]) => code));
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
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true });
});

/** An index of texts in which the characters of hostile queries stand, too. */
async function makeIndex(): Promise<string> {
  const documents = join(folder, "documents");
  await mkdir(documents);
  const texts = [
    "The Moon pulls the water of the oceans.",
    "a word and a word, again and again",
    `${"的".repeat(25)}。我的书`,
    'x! a!b!c "quoted" -x',
  ];
  for (const [number, text] of texts.entries()) await writeFile(join(documents, `${number}.txt`), text);
  const file = join(folder, "documents.samevec");
  const { code, stderr } = await CommandLine.run(["index", documents, "-o", file]);
  expect(code, stderr).toBe(0);
  return file;
}

const aMethod = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND");
const anOperation = fc.nat().map((n) => operations[n % operations.length] ?? expect.fail("nothing is described"));

/**
 * Sends a request and checks the answer. Gives its status.
 * @param texts which no error may repeat
 */
async function answered(operation: Operation | null, path: string, init: RequestInit, texts: readonly string[] = []): Promise<number> {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  const start = text.slice(0, 500);
  expect(response.status, start).toBeLessThan(500);
  if (init.method === "HEAD" || (response.ok && !operation)) return response.status;
  expect(response.headers.get("content-type")).toBe("application/json");
  const described = operation?.answers.get(response.status);
  if (operation) expect(described, `${operation.method} ${operation.path} may answer ${response.status}: ${start}`).toBeDefined();
  const schema = described ?? (/^\/v1(\/|$)/.test(path) ? errors.openAI : errors.tei);
  const answer = JSON.parse(text);
  expect(schema.safeParse(answer).error, start).toBeUndefined();
  if (!response.ok) {
    const { code } = answer.error?.code ? answer.error : answer;
    expect(knownCodes.has(code), `the code ${code}`).toBe(true);
    const repeated = texts.find((sent) => text.includes(JSON.stringify(sent).slice(1, -1)));
    expect(repeated, "a text that the error repeats").toBeUndefined();
  }
  return response.status;
}

/** Sends `body` to an operation that takes one, as JSON unless it is bytes already. */
const send = (operation: Operation, body: unknown, headers: Record<string, string> = {}) =>
  answered(
    operation,
    operation.path.replace("{model}", "bge-small-en-v1.5"),
    {
      method: operation.method,
      headers: { "content-type": "application/json", ...headers },
      ...(operation.method === "POST" && { body: body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body) }),
    },
    stringsOf(body),
  );

describe("fuzzing: every response is described in /openapi.json, and none is an internal error", () => {
  test("a request body that matches the schema is computed, or rejected for a limit the schema cannot express", async () => {
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

  test("a request body with a replaced part gets a described response", async () => {
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

  test("a request body with a large part gets a described response", async () => {
    const statuses = new Map<number, number>();
    const enlarged = anOperation
      .filter(({ method }) => method === "POST")
      .chain((operation) =>
        fc.tuple(operation.body, fc.nat(), largeValue).map(([body, place, { value, ...large }]) => ({
          operation,
          body,
          place,
          value,
          large,
          [fc.toStringMethod]: () => `${operation.path}, part ${place} of ${JSON.stringify(body)} being ${JSON.stringify(large)}`,
        })),
      );
    await fc.assert(
      fc.asyncProperty(enlarged, async ({ operation, body, place, value }) => {
        const status = await send(operation, withPartReplaced(body, place, value));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }),
      { numRuns: 150 },
    );
    for (const status of [200, 413, 422]) expect(statuses.get(status), String(status)).toBeGreaterThan(0);
  });

  test("an oversized or deeply nested request body gets a described response", async () => {
    const opening = fc.constantFrom("[", '{"inputs":', '{"inputs":[', "0", " ", '"', "{}");
    const body = fc
      .tuple(opening, fc.constantFrom(1_000, 100_000, 9_000_000))
      .map(([part, length]) => new TextEncoder().encode(part.repeat(Math.ceil(length / part.length))));
    await fc.assert(
      fc.asyncProperty(
        anOperation.filter(({ method }) => method === "POST"),
        body,
        async (operation, body) => {
          await send(operation, body);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a request body that is not JSON, with arbitrary headers, gets a described response", async () => {
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

  test("every path gets a described response for any method and content type", async () => {
    const paths = fc.constantFrom(...new Set(operations.map(({ path }) => path)), "/metrics", "/docs", "/openapi.json", "/models/x");
    const type = fc.option(
      fc.constantFrom("application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "a/b;c"),
    );
    await fc.assert(
      fc.asyncProperty(aMethod, paths, type, async (method, path, type) => {
        const body = method !== "GET" && method !== "HEAD" && { body: new TextEncoder().encode("{}") };
        await answered(null, path, { method, ...(type !== null && { headers: { "content-type": type } }), ...body });
      }),
      { numRuns: 200 },
    );
  });

  test("an unknown path gets a described response for any method", async () => {
    const segment = fc.oneof(
      fc.constantFrom("embed", "v1", "models", "embeddings", "docs", "assets", "..", "%", "%00", "%ff", "%2e%2e", "%2f", "index.html", ""),
      fc.string({ maxLength: 8 }).map(encodeURIComponent),
    );
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
    await fc.assert(
      fc.asyncProperty(aMethod, path, async (method, path) => {
        // As it is sent: without dots that `fetch` resolves.
        const { pathname } = new URL(`${server.url}${path}`);
        await answered(null, pathname, { method, ...(method !== "GET" && method !== "HEAD" && { body: "{}" }) });
      }),
      { numRuns: 300 },
    );
  });

  test("the service is healthy and embeds texts after the fuzzing", async () => {
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ status: "ok" });
    const operation = operations.find(({ path }) => path === "/embed") ?? expect.fail("POST /embed is not described");
    expect(await send(operation, { inputs: "still here" })).toBe(200);
    expect(server.process.exitCode).toBeNull();
  });
});
