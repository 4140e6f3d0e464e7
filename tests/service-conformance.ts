import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  embeddingsResponseSchema,
  embedResponseSchema,
  errorResponseSchema,
  healthSchema,
  openAIErrorResponseSchema,
  openAIModelListSchema,
  openAIModelSchema,
  serviceInfoSchema,
  similarityResponseSchema,
  tokenizeResponseSchema,
} from "../shared/contract.ts";
import { cosineSimilarity, decodeVector } from "../shared/vector.ts";
import { goldenBounds, goldenRows, shortTexts } from "./golden.ts";

export interface ServiceUnderTest {
  /** Sends a request to the service; `path` begins with a slash. */
  send(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<unknown>;
}

/** What the HTTP service promises, wherever it runs: each platform runs this suite. */
export function testServiceConformance(name: string, start: () => Promise<ServiceUnderTest>): void {
  describe(`${name} is the service`, () => {
    let service: ServiceUnderTest;
    beforeAll(async () => {
      service = await start();
    });
    afterAll(() => service?.stop());
    const send: ServiceUnderTest["send"] = (path, init) => service.send(path, init);

    const post = (path: string, body: unknown) =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    const embed = async (body: unknown) => {
      const response = await post("/embed", body);
      expect(response.status).toBe(200);
      return {
        vectors: embedResponseSchema.parse(await response.json()).map((vector) => Float32Array.from(vector)),
        headers: response.headers,
      };
    };

    describe("POST /embed", () => {
      test("gives two normalized 384-vectors for two texts", async () => {
        const { vectors } = await embed({ inputs: ["hello", "world"] });
        expect(vectors.map((vector) => vector.length)).toEqual([384, 384]);
        for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      });

      test("tells in headers what was computed, by which model and in which time", async () => {
        const { headers } = await embed({ inputs: ["hello", "🚀 to the moon"] });
        expect(headers.get("x-compute-tokens")).toBe("9");
        expect(headers.get("x-compute-characters")).toBe("18");
        expect(headers.get("x-truncated-inputs")).toBe("0");
        expect(headers.get("x-model-fingerprint")).toMatch(/^[0-9a-f]{64}$/);
        for (const name of ["x-total-time", "x-queue-time", "x-inference-time"]) expect(headers.get(name)).toMatch(/^\d+$/);
        expect(headers.get("x-request-id")).toBeTruthy();
      });

      test("is POST / too", async () => {
        const response = await post("/", { inputs: "hello" });
        const { vectors } = await embed({ inputs: "hello" });
        expect(response.status).toBe(200);
        expect(embedResponseSchema.parse(await response.json()).map((vector) => Float32Array.from(vector))).toEqual(vectors);
      });

      test("takes null for what is not said", async () => {
        const nothing = { normalize: null, truncate: null, truncation_direction: null, prompt_name: null, dimensions: null };
        expect((await embed({ inputs: "hello", ...nothing })).vectors).toEqual((await embed({ inputs: "hello" })).vectors);
      });

      test("takes a single text", async () => {
        const { vectors } = await embed({ inputs: "hello" });
        expect(vectors).toHaveLength(1);
      });

      test.each(["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"])(
        "takes a body of the type %s",
        async (type) => {
          const response = await send("/embed", { method: "POST", headers: { "content-type": type }, body: '{"inputs":"hello"}' });
          expect(response.status).toBe(200);
        },
      );

      test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "text/json", ""])(
        "refuses a body of the type %j",
        async (type) => {
          // Of bytes `fetch` names no type by itself.
          const body = new TextEncoder().encode('{"inputs":"hello"}');
          const sending = send("/embed", { method: "POST", headers: type ? { "content-type": type } : {}, body });
          await expectError(sending, 415, { code: "unsupported_media_type" });
        },
      );

      test("holds the golden vectors, each asked for alone", async () => {
        const cosines = [];
        for (const { inputType, text, vector } of goldenRows) {
          const { vectors } = await embed({ inputs: text, prompt_name: inputType });
          cosines.push(cosineSimilarity(vectors[0] ?? new Float32Array(), vector));
        }
        expect(Math.min(...cosines)).toBeGreaterThanOrEqual(goldenBounds.worst);
        expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThanOrEqual(goldenBounds.mean);
      });

      test("gives many short texts the vectors that they have alone", async () => {
        const { vectors } = await embed({ inputs: shortTexts });
        for (const [i, inputs] of shortTexts.entries()) {
          // From the other end, of which nothing is cut off: a cache does not know that it is the same vector.
          const alone = await embed({ inputs, truncation_direction: "Left" });
          expect(alone.vectors[0]).toEqual(vectors[i]);
        }
      });

      test("does not normalize when told so", async () => {
        const { vectors } = await embed({ inputs: "hello", normalize: false });
        expect(Math.hypot(...(vectors[0] ?? []))).not.toBeCloseTo(1, 2);
      });

      test("cuts to the dimensions asked for", async () => {
        const { vectors } = await embed({ inputs: "hello", dimensions: 128 });
        expect(vectors[0]).toHaveLength(128);
        expect(Math.hypot(...(vectors[0] ?? []))).toBeCloseTo(1, 5);
      });

      test("cuts off the end that it is told to", async () => {
        const [begin, end] = ["begin ".repeat(510).trim(), "end ".repeat(510).trim()];
        const { vectors: whole } = await embed({ inputs: [begin, end] });
        const inputs = `${begin} ${end}`;
        for (const direction of ["Right", "right"]) {
          expect((await embed({ inputs, truncation_direction: direction })).vectors[0]).toEqual(whole[0]);
        }
        const { vectors, headers } = await embed({ inputs, truncation_direction: "Left" });
        expect(vectors[0]).toEqual(whole[1]);
        expect(headers.get("x-truncated-inputs")).toBe("1");
      });

      test("cuts a long text and says how many were cut, or refuses it when told not to cut", async () => {
        const long = "word ".repeat(600);
        const { headers } = await embed({ inputs: [long, "short"] });
        expect(headers.get("x-truncated-inputs")).toBe("1");
        await expectError(post("/embed", { inputs: ["short", long], truncate: false }), 413, {
          code: "text_too_long",
          details: { index: 1, limit: 512, found: 602 },
        });
      });

      test.each([
        ["a body that is not JSON", '{"inputs": ', 400, { code: "invalid_json" }],
        ["an empty body", "", 400, { code: "invalid_json" }],
        ["a body that is no object", "[]", 422, { code: "invalid_request" }],
        ["no inputs", {}, 422, { code: "invalid_request", details: { path: "inputs" } }],
        ["inputs of another type", { inputs: 7 }, 422, { code: "invalid_request", details: { path: "inputs" } }],
        ["an input of another type", { inputs: ["fine", 7] }, 422, { code: "invalid_request", details: { path: "inputs.1" } }],
        ["an empty list", { inputs: [] }, 400, { code: "empty_input", error_type: "Empty", details: { path: "inputs" } }],
        ["a list too long", { inputs: Array(1025).fill("a") }, 413, { code: "too_many_texts", details: { limit: 1024, found: 1025 } }],
        [
          "an unknown prompt name",
          { inputs: "a", prompt_name: "answer" },
          422,
          { code: "invalid_request", details: { path: "prompt_name" } },
        ],
        [
          "a lone surrogate",
          '{"inputs":["fine","\\ud800"]}',
          422,
          { code: "lone_surrogate", error_type: "Tokenizer", details: { index: 1 } },
        ],
        [
          "an end that no text has",
          { inputs: "a", truncation_direction: "Top" },
          422,
          { code: "invalid_request", details: { path: "truncation_direction" } },
        ],
        ["a text too long to be read", { inputs: ["a", "b".repeat(200_001)] }, 413, { code: "text_too_long", details: { index: 1 } }],
        ["dimensions that the model lacks", { inputs: "a", dimensions: 385 }, 413, { code: "invalid_dimensions", details: { limit: 384 } }],
        ["dimensions of nothing", { inputs: "a", dimensions: 0 }, 422, { code: "invalid_request", details: { path: "dimensions" } }],
        ["a body too large", { inputs: "a".repeat(8 * 1024 * 1024) }, 413, { code: "body_too_large" }],
      ])("refuses %s with a reason, and serves the next request", async (_, body, status, expected) => {
        await expectError(post("/embed", body), status, expected);
        await embed({ inputs: "next" });
      });
    });

    describe("POST /similarity", () => {
      const inputs = { source_sentence: "a cat sat down", sentences: ["a cat sat down", "the kitten took a seat", "tax law of 1913"] };

      test("gives the cosine of each sentence to the source", async () => {
        const { vectors } = await embed({ inputs: [inputs.source_sentence, ...inputs.sentences] });
        const [source = new Float32Array(), ...others] = vectors;
        const response = await post("/similarity", { inputs });
        expect(response.status).toBe(200);
        const cosines = similarityResponseSchema.parse(await response.json());
        expect(cosines).toHaveLength(3);
        for (const [i, other] of others.entries()) expect(cosines[i]).toBeCloseTo(cosineSimilarity(source, other), 5);
        expect(cosines[0]).toBeCloseTo(1, 5);
        expect(cosines[1]).toBeGreaterThan(cosines[2] ?? 1);
        expect(response.headers.get("x-compute-tokens")).toMatch(/^\d+$/);
      });

      test("takes parameters", async () => {
        const plain = similarityResponseSchema.parse(await (await post("/similarity", { inputs, parameters: null })).json());
        const asQueries = similarityResponseSchema.parse(
          await (await post("/similarity", { inputs, parameters: { prompt_name: "query" } })).json(),
        );
        expect(asQueries[1]).not.toBeCloseTo(plain[1] ?? 0, 3);
        const long = "word ".repeat(600);
        await expectError(
          post("/similarity", { inputs: { source_sentence: "a", sentences: ["b", long] }, parameters: { truncate: false } }),
          413,
          { code: "text_too_long", details: { path: "inputs.sentences.1" } },
        );
      });

      test.each([
        ["no source", { sentences: ["a"] }, 422, { code: "invalid_request", details: { path: "inputs.source_sentence" } }],
        ["no sentences", { source_sentence: "a", sentences: [] }, 400, { code: "empty_input", error_type: "Empty" }],
        ["a list in place of inputs", ["a"], 422, { code: "invalid_request", details: { path: "inputs" } }],
        [
          "a source that is no Unicode",
          { source_sentence: "\ud800", sentences: ["a"] },
          422,
          { code: "lone_surrogate", error_type: "Tokenizer", details: { path: "inputs.source_sentence" } },
        ],
        [
          "a source too long to be read",
          { source_sentence: "b".repeat(200_001), sentences: ["a"] },
          413,
          { code: "text_too_long", details: { path: "inputs.source_sentence" } },
        ],
      ])("refuses %s", async (_, wrong, status, expected) => {
        await expectError(post("/similarity", { inputs: wrong }), status, expected);
      });
    });

    describe("POST /tokenize", () => {
      const tokenize = async (body: unknown) => {
        const response = await post("/tokenize", body);
        expect(response.status).toBe(200);
        return tokenizeResponseSchema.parse(await response.json());
      };

      test("gives each token with its place in the text, in code points", async () => {
        const [tokens = []] = await tokenize({ inputs: "🚀 Café embeddings" });
        expect(tokens).toEqual([
          { id: 101, text: "[CLS]", special: true, start: null, stop: null },
          { id: 100, text: "🚀", special: false, start: 0, stop: 1 },
          { id: 7668, text: "Café", special: false, start: 2, stop: 6 },
          { id: 7861, text: "em", special: false, start: 7, stop: 9 },
          { id: 8270, text: "bed", special: false, start: 9, stop: 12 },
          { id: 4667, text: "ding", special: false, start: 12, stop: 16 },
          { id: 2015, text: "s", special: false, start: 16, stop: 17 },
          { id: 102, text: "[SEP]", special: true, start: null, stop: null },
        ]);
      });

      test("gives the tokens that are computed, and all of a text that is too long", async () => {
        for (const { inputType, text, tokenIds, tokensBeforeCut } of goldenRows) {
          const [tokens = []] = await tokenize({ inputs: text, prompt_name: inputType });
          expect(tokens).toHaveLength(tokensBeforeCut);
          expect(tokens.map(({ id }) => id).slice(0, tokenIds.length - 1)).toEqual(tokenIds.slice(0, -1));
        }
      });

      test("leaves out the special ones when told so", async () => {
        const [[first] = [], second] = await tokenize({ inputs: ["hello", ""], add_special_tokens: false });
        expect(first).toMatchObject({ text: "hello", start: 0, stop: 5 });
        expect(second).toEqual([]);
      });
    });

    test.each([
      ["GET", "/embed", "POST"],
      ["DELETE", "/", "POST"],
      ["PUT", "/v1/embeddings", "POST"],
      ["POST", "/health", "GET, HEAD"],
      ["POST", "/v1/models/bge-small-en-v1.5", "GET, HEAD"],
    ])("refuses %s %s, and says what it takes", async (method, path, allow) => {
      const response = await send(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(allow);
      const body = await response.json();
      if (path.startsWith("/v1")) expect(openAIErrorResponseSchema.parse(body).error.code).toBe("method_not_allowed");
      else expect(errorResponseSchema.parse(body).code).toBe("method_not_allowed");
    });

    describe("POST /v1/embeddings", () => {
      const create = async (body: unknown) => {
        const response = await post("/v1/embeddings", body);
        expect(response.status).toBe(200);
        return embeddingsResponseSchema.parse(await response.json());
      };

      test("gives the vectors of /embed, in order, with the true count of tokens", async () => {
        const { vectors } = await embed({ inputs: ["hello", "brave new world"] });
        const { data, usage, model } = await create({ input: ["hello", "brave new world"], model: "bge-small-en-v1.5" });
        expect(data.map(({ index }) => index)).toEqual([0, 1]);
        for (const [i, { embedding }] of data.entries()) expect(Float32Array.from(embedding as number[])).toEqual(vectors[i]);
        expect(usage).toEqual({ prompt_tokens: 8, total_tokens: 8 });
        expect(model).toBe("bge-small-en-v1.5");
      });

      test("gives the same vectors as base64", async () => {
        const [asNumbers, asBase64] = [await create({ input: "hello" }), await create({ input: "hello", encoding_format: "base64" })];
        const embedding = asBase64.data[0]?.embedding;
        if (typeof embedding !== "string") return expect.fail("not base64");
        expect(decodeVector(embedding)).toEqual(Float32Array.from(asNumbers.data[0]?.embedding as number[]));
      });

      test("takes input_type, or :query behind the model's name, for what the input is", async () => {
        const { vectors } = await embed({ inputs: "why is the sky blue", prompt_name: "query" });
        for (const asking of [{ input_type: "query" }, { model: "bge-small-en-v1.5:query" }, { model: "BAAI/bge-small-en-v1.5:query" }]) {
          const { data, model, usage } = await create({ input: "why is the sky blue", ...asking });
          expect(Float32Array.from(data[0]?.embedding as number[])).toEqual(vectors[0]);
          expect(model).toBe(asking.model ?? "bge-small-en-v1.5");
          expect(usage.prompt_tokens).toBeGreaterThan(7);
        }
      });

      test("takes null for what is not said, a user, and dimensions", async () => {
        const { data } = await create({ input: ["a"], model: null, encoding_format: null, dimensions: null, input_type: null, user: null });
        expect(data[0]?.embedding).toHaveLength(384);
        const { vectors } = await embed({ inputs: "a", dimensions: 64 });
        const cut = await create({ input: "a", dimensions: 64, user: "someone" });
        expect(Float32Array.from(cut.data[0]?.embedding as number[])).toEqual(vectors[0]);
      });

      test("refuses token ids, and says how LangChain is made to send texts", async () => {
        for (const input of [[1, 2, 3], [[1, 2, 3]]]) {
          const response = await post("/v1/embeddings", { input });
          expect(response.status).toBe(400);
          const { error } = openAIErrorResponseSchema.parse(await response.json());
          expect(error).toMatchObject({ code: "invalid_request", param: "input.0", type: "invalid_request_error" });
          expect(error.message).toContain("check_embedding_ctx_length=False");
        }
      });

      test.each([
        ["an unknown model", { input: "a", model: "another" }, 404, { code: "model_not_found", param: "model" }],
        ["no input", {}, 400, { code: "invalid_request", param: "input" }],
        ["an empty list", { input: [] }, 400, { code: "empty_input", param: "input" }],
        ["half of a pair", { input: ["a", "\ud800"] }, 400, { code: "lone_surrogate", param: "input.1" }],
        ["dimensions that the model lacks", { input: "a", dimensions: 1536 }, 400, { code: "invalid_dimensions" }],
        ["a list too long", { input: Array(1025).fill("a") }, 400, { code: "too_many_texts" }],
        ["two kinds of input", { input: "a", model: "bge-small-en-v1.5:query", input_type: "passage" }, 400, { param: "input_type" }],
        ["another encoding", { input: "a", encoding_format: "hex" }, 400, { code: "invalid_request", param: "encoding_format" }],
        ["a body that is not JSON", "{", 400, { code: "invalid_json" }],
      ])("refuses %s in OpenAI's form", async (_, body, status, expected) => {
        const response = await post("/v1/embeddings", body);
        expect(response.status).toBe(status);
        expect(openAIErrorResponseSchema.parse(await response.json()).error).toMatchObject(expected);
      });
    });

    test("GET /v1/models lists the model, and gives it by its name", async () => {
      const { data } = openAIModelListSchema.parse(await (await send("/v1/models")).json());
      expect(data.map(({ id }) => id)).toEqual(["bge-small-en-v1.5"]);
      expect(openAIModelSchema.parse(await (await send("/v1/models/bge-small-en-v1.5")).json())).toEqual(data[0]);
      const unknown = await send("/v1/models/gpt-4");
      expect(unknown.status).toBe(404);
      expect(openAIErrorResponseSchema.parse(await unknown.json()).error.code).toBe("model_not_found");
    });

    test("GET /openapi.json describes every route", async () => {
      const { paths } = (await (await send("/openapi.json")).json()) as { paths: Record<string, object> };
      expect(Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))).toEqual([
        "post /embed",
        "post /",
        "post /similarity",
        "post /tokenize",
        "get /health",
        "get /info",
        "post /v1/embeddings",
        "get /v1/models",
        "get /v1/models/{model}",
      ]);
    });

    test("what is not there is a 404 in the API's own form", async () => {
      await expectError(send("/nowhere"), 404, { code: "not_found" });
      const response = await send("/v1/nowhere");
      expect(response.status).toBe(404);
      expect(openAIErrorResponseSchema.parse(await response.json()).error.code).toBe("not_found");
    });

    test("GET /health says how it is", async () => {
      const health = async () => {
        const response = await send("/health");
        return { code: response.status, status: healthSchema.parse(await response.json()).status };
      };
      await expect.poll(health, { timeout: 10_000 }).toEqual({ code: 200, status: "ok" });
    });

    test("GET /info says what is served", async () => {
      const info = serviceInfoSchema.parse(await (await send("/info")).json());
      expect(info).toMatchObject({
        model_id: "bge-small-en-v1.5",
        dimensions: 384,
        max_input_length: 512,
        model_type: { embedding: { pooling: "cls" } },
      });
    });

    test("errors hold neither a stack nor the text", async () => {
      const secret = "my private text";
      const response = await post("/embed", { inputs: [secret, `${secret} \ud800`] });
      const body = await response.text();
      expect(response.status).toBe(422);
      expect(body).not.toContain(secret);
      expect(body).not.toMatch(/\bat .*:\d+/);
    });
  });
}

async function expectError(sending: Promise<Response>, status: number, expected: object): Promise<void> {
  const response = await sending;
  const body: unknown = await response.json();
  expect(body).toMatchObject(expected);
  expect(response.status).toBe(status);
  expect(errorResponseSchema.parse(body).error).not.toBe("");
}
