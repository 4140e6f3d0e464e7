import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  embeddingsResponseSchema,
  embedResponseSchema,
  errorResponseSchema,
  healthSchema,
  openAIErrorResponseSchema,
  serviceInfoSchema,
} from "../shared/contract.ts";
import { decodeVector } from "../shared/encoder/bundled.ts";
import { cosineSimilarity } from "../shared/encoder/encoder.ts";
import { goldenBounds, goldenRows } from "./golden.ts";

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
        const { vectors, headers } = await embed({ inputs: ["hello", "world"] });
        expect(vectors.map((vector) => vector.length)).toEqual([384, 384]);
        for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
        expect(headers.get("x-truncated-inputs")).toBe("0");
        expect(headers.get("x-compute-tokens")).toBe("6");
        expect(headers.get("x-model-fingerprint")).toMatch(/^[0-9a-f]{64}$/);
      });

      test("takes a single text, with or without a content type", async () => {
        const { vectors } = await embed({ inputs: "hello" });
        const plain = await send("/embed", { method: "POST", body: '{"inputs":"hello"}' });
        expect(vectors).toHaveLength(1);
        expect(embedResponseSchema.parse(await plain.json()).map((vector) => Float32Array.from(vector))).toEqual(vectors);
      });

      test("holds the golden vectors, each asked for alone", async () => {
        const cosines = [];
        for (const { kind, text, vector } of goldenRows) {
          const { vectors } = await embed({ inputs: text, prompt_name: kind });
          cosines.push(cosineSimilarity(vectors[0] ?? new Float32Array(), vector));
        }
        expect(Math.min(...cosines)).toBeGreaterThanOrEqual(goldenBounds.worst);
        expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThanOrEqual(goldenBounds.mean);
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
        ["dimensions that the model lacks", { inputs: "a", dimensions: 385 }, 413, { code: "invalid_dimensions", details: { limit: 384 } }],
        ["dimensions of nothing", { inputs: "a", dimensions: 0 }, 422, { code: "invalid_request", details: { path: "dimensions" } }],
        ["a body too large", { inputs: "a".repeat(8 * 1024 * 1024) }, 413, { code: "body_too_large" }],
      ])("refuses %s with a reason, and serves the next request", async (_, body, status, expected) => {
        await expectError(post("/embed", body), status, expected);
        await embed({ inputs: "next" });
      });

      test("takes nothing but POST", async () => {
        await expectError(send("/embed"), 405, { code: "method_not_allowed" });
      });
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

      test.each([
        ["an unknown model", { input: "a", model: "another" }, 404, { code: "model_not_found", param: "model" }],
        ["token ids", { input: [1, 2, 3] }, 400, { code: "invalid_request", param: "input.0", type: "invalid_request_error" }],
        ["no input", {}, 400, { code: "invalid_request", param: "input" }],
        ["another encoding", { input: "a", encoding_format: "hex" }, 400, { code: "invalid_request", param: "encoding_format" }],
        ["a body that is not JSON", "{", 400, { code: "invalid_json" }],
      ])("refuses %s in OpenAI's form", async (_, body, status, expected) => {
        const response = await post("/v1/embeddings", body);
        expect(response.status).toBe(status);
        expect(openAIErrorResponseSchema.parse(await response.json()).error).toMatchObject(expected);
      });
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
