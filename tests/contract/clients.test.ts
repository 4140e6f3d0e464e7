import { InferenceClient } from "@huggingface/inference";
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cosineSimilarity } from "../../shared/vector.ts";
import { goldenBounds, goldenRows } from "../golden.ts";
import { ServerProcess } from "./server-process.ts";

const apiKey = "sk-for-a-test-only";
let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "2", API_KEYS: apiKey, MODEL_ALIASES: "text-embedding-3-small", QUEUE_TEXTS: "100" });
});
afterAll(() => server?.stop());

const passages = goldenRows.filter(({ inputType }) => inputType === "passage").slice(0, 8);
const inputs = passages.map(({ text }) => text);

const expectGolden = (vectors: readonly (readonly number[])[]) => {
  expect(vectors).toHaveLength(passages.length);
  for (const [i, { vector }] of passages.entries()) {
    expect(cosineSimilarity(Float32Array.from(vectors[i] ?? []), vector)).toBeGreaterThanOrEqual(goldenBounds.worst);
  }
};

describe("the OpenAI client", () => {
  const clientWith = (key: string) => new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
  let client: OpenAI;
  beforeAll(() => {
    client = clientWith(apiKey);
  });

  test("the OpenAI client gets base64 embeddings by default, under an OpenAI model name", async () => {
    const { data, model, usage } = await client.embeddings.create({ model: "text-embedding-3-small", input: inputs });
    expectGolden(data.map(({ embedding }) => embedding));
    expect(model).toBe("text-embedding-3-small");
    expect(usage.total_tokens).toBe(passages.reduce((sum, { tokens }) => sum + tokens, 0));
  });

  test("the OpenAI client gets embeddings as numbers", async () => {
    const { data } = await client.embeddings.create({ model: "bge-small-en-v1.5", input: inputs, encoding_format: "float" });
    expectGolden(data.map(({ embedding }) => embedding));
  });

  test("the OpenAI client gets embeddings of fewer dimensions", async () => {
    const { data } = await client.embeddings.create({ model: "bge-small-en-v1.5", input: "a", dimensions: 128 });
    expect(data[0]?.embedding).toHaveLength(128);
  });

  test("the OpenAI client embeds a query with the :query suffix of the model name", async () => {
    const query = goldenRows.find(({ inputType }) => inputType === "query") ?? expect.fail("no query");
    const { data } = await client.embeddings.create({ model: "bge-small-en-v1.5:query", input: query.text });
    expect(cosineSimilarity(Float32Array.from(data[0]?.embedding ?? []), query.vector)).toBeGreaterThanOrEqual(goldenBounds.worst);
  });

  test("the OpenAI client lists the models", async () => {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(["bge-small-en-v1.5", "text-embedding-3-small"]);
    expect(await client.models.retrieve("bge-small-en-v1.5")).toMatchObject({ object: "model", owned_by: "samevec" });
  });

  test("the OpenAI client throws its own error classes", async () => {
    const create = (body: Partial<OpenAI.EmbeddingCreateParams>, by = client) =>
      by.embeddings.create({ model: "bge-small-en-v1.5", input: "a", ...body }).then(
        () => expect.fail("not refused"),
        (error: unknown) => error,
      );
    const unknownModel = await create({ model: "gpt-4" });
    expect(unknownModel).toBeInstanceOf(NotFoundError);
    expect(unknownModel).toMatchObject({ code: "model_not_found", param: "model", type: "invalid_request_error" });

    const tokenIds = await create({ input: [[1, 2, 3]] });
    expect(tokenIds).toBeInstanceOf(BadRequestError);
    expect(tokenIds).toMatchObject({ param: "input.0", message: expect.stringContaining("check_embedding_ctx_length=False") });

    const dimensions = await create({ dimensions: 1536 });
    expect(dimensions).toBeInstanceOf(BadRequestError);
    expect(dimensions).toMatchObject({ code: "invalid_dimensions" });

    const withoutKey = await create({}, clientWith("sk-of-somebody-else"));
    expect(withoutKey).toBeInstanceOf(AuthenticationError);
    expect(withoutKey).toMatchObject({ code: "invalid_api_key" });
  });

  test("the OpenAI client throws RateLimitError with retry-after while the queue is full, and is served afterwards", async () => {
    const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i} of ${count} ${"of some length ".repeat(60)}`);
    const hangUp = new AbortController();
    const busy = client.embeddings.create({ model: "bge-small-en-v1.5", input: texts(400) }, { signal: hangUp.signal });
    const ended = expect(busy).rejects.toThrow();
    const queued = async () => Number(/^samevec_queue_texts (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]);
    await expect.poll(queued, { interval: 20 }).toBeGreaterThan(100);
    const refused = await client.embeddings.create({ model: "bge-small-en-v1.5", input: texts(50) }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RateLimitError);
    expect(refused).toMatchObject({ code: "overloaded", type: "rate_limit_error" });
    expect(Number((refused as RateLimitError).headers.get("retry-after"))).toBeGreaterThan(0);
    hangUp.abort();
    await ended;
    // The client's own retries, which wait as long as they are told to.
    const { data } = await client.embeddings.create({ model: "bge-small-en-v1.5", input: texts(5) }, { maxRetries: 5 });
    expect(data).toHaveLength(5);
  });
});

describe("the Hugging Face client", () => {
  let client: InferenceClient;
  beforeAll(() => {
    client = new InferenceClient(apiKey);
  });

  test.each(["/embed", "/"])("the Hugging Face client extracts features at %s", async (path) => {
    const endpointUrl = `${server.url}${path}`;
    expectGolden((await client.featureExtraction({ endpointUrl, inputs })) as number[][]);
    const [cut] = (await client.featureExtraction({ endpointUrl, inputs: "a", dimensions: 64, normalize: true })) as number[][];
    expect(cut).toHaveLength(64);
  });

  test("the Hugging Face client extracts features of a query, truncated on the left and not normalized", async () => {
    const parameters = { normalize: false, prompt_name: "query", truncate: true, truncation_direction: "left" } as const;
    const vectors = await client.featureExtraction({ endpointUrl: `${server.url}/embed`, inputs: ["a"], ...parameters });
    expect(Math.hypot(...((vectors as number[][])[0] ?? []))).not.toBeCloseTo(1, 2);
  });

  test("the Hugging Face client computes sentence similarity", async () => {
    const sentences = ["a kitten took a seat", "tax law of 1913"];
    const endpointUrl = `${server.url}/similarity`;
    const [near = 0, far = 1] = await client.sentenceSimilarity({ endpointUrl, inputs: { source_sentence: "a cat sat down", sentences } });
    expect(near).toBeGreaterThan(far);
  });

  test("the Hugging Face client throws the error message of the service", async () => {
    await expect(client.featureExtraction({ endpointUrl: `${server.url}/embed`, inputs: [] })).rejects.toThrow(/at least one text/);
  });
});
