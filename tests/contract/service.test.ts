import { readFile } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
import { createApp, defaultConfig } from "../../api/app.ts";
import { version } from "../../api/version.ts";
import { createEncoder } from "../../dist/api/encoder.js";
import { createSessionEncoder } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { testServiceConformance } from "../service-conformance.ts";

const encoder = createEncoder({ workers: 2 });
afterAll(() => encoder.dispose());

testServiceConformance("the app over a pool of worker threads", async () => {
  const app = createApp({ encoder, config: defaultConfig });
  return { send: async (path, init) => app.request(path, init), stop: async () => {} };
});

test("OpenAI clients may ask by an alias", async () => {
  const app = createApp({ encoder, config: { ...defaultConfig, modelAliases: ["text-embedding-3-small"] } });
  const response = await app.request("/v1/embeddings", {
    method: "POST",
    body: JSON.stringify({ input: "a", model: "text-embedding-3-small" }),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ model: "text-embedding-3-small" });
});

test("/health answers while the model loads, and tells why it could not be loaded", async () => {
  let fail = (_: Error) => {};
  const opening = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const app = createApp({ encoder: createSessionEncoder(() => opening), config: defaultConfig });
  const waiting = app.request("/embed", { method: "POST", body: '{"inputs":"a"}' });
  const health = async () => {
    const response = await app.request("/health");
    return [response.status, await response.json()];
  };
  await expect.poll(health).toMatchObject([200, { status: "loading" }]);
  fail(new EncoderError("integrity_failed", "weights-0.bin is another file"));
  expect((await waiting).status).toBe(503);
  expect(await health()).toMatchObject([503, { status: "failed", error: "weights-0.bin is another file" }]);
});

test("an error that is not ours tells a caller nothing", async () => {
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

test("the version is the package's", async () => {
  const packageJson = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(packageJson)).toMatchObject({ version });
});
