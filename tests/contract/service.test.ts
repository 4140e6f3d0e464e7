import { readFile } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
// All of it as built, where the workers are: the app knows an error by its class, which sources would have once more.
import { createApp } from "../../dist/api/app.js";
import { createEncoder } from "../../dist/api/node/encoder.js";
import { defaultConfig } from "../../dist/api/service.js";
import { version } from "../../dist/api/version.js";
import { createSessionEncoder } from "../../dist/shared/encoder/session-encoder.js";
import { EncoderError } from "../../dist/shared/errors.js";
import { testServiceConformance } from "../service-conformance.ts";

const encoder = createEncoder({ workers: 2 });
afterAll(() => encoder.dispose());

testServiceConformance("the app over a pool of workers", async () => {
  const app = createApp({ encoder, config: defaultConfig });
  return { send: async (path, init) => app.request(path, init), stop: async () => {} };
});

test("OpenAI clients may use a model alias", async () => {
  const app = createApp({ encoder, config: { ...defaultConfig, modelAliases: ["text-embedding-3-small"] } });
  const response = await app.request("/v1/embeddings", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: "a", model: "text-embedding-3-small" }),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ model: "text-embedding-3-small" });
  const models = (await (await app.request("/v1/models")).json()) as { data: { id: string }[] };
  expect(models.data.map(({ id }) => id)).toEqual(["bge-small-en-v1.5", "text-embedding-3-small"]);
  expect((await app.request("/v1/models/text-embedding-3-small")).status).toBe(200);
});

test("/health answers while the model loads, and reports a failed load without naming the file", async () => {
  let fail = (_: Error) => {};
  const opening = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const app = createApp({ encoder: createSessionEncoder(() => opening), config: defaultConfig });
  const waiting = app.request("/embed", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"inputs":"a"}',
  });
  const health = async () => {
    const response = await app.request("/health");
    return [response.status, await response.json()];
  };
  await expect.poll(health).toMatchObject([200, { status: "loading" }]);
  fail(new EncoderError("integrity_failed", "weights-0.bin is another file"));
  expect((await waiting).status).toBe(503);
  const [code, failed] = await health();
  expect(code).toBe(503);
  expect(failed).toMatchObject({ status: "failed", error: expect.stringContaining("model") });
  expect(JSON.stringify(failed)).not.toContain("weights-0.bin");
});

test("an unexpected error is answered with 500 without its message", async () => {
  const broken = {
    ...encoder,
    info: () => {
      throw new Error("secret: the disk is at /dev/sda");
    },
  };
  const response = await createApp({ encoder: broken, config: defaultConfig }).request("/health");
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("secret");
});

test("the service's version is the package version", async () => {
  const packageJson = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(packageJson)).toMatchObject({ version });
});
