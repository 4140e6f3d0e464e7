import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openNodeModel } from "../../api/node/node-model.ts";
import { embedResponseSchema, errorResponseSchema } from "../../shared/contract.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { goldenRows } from "../golden.ts";
import { testServiceConformance } from "../service-conformance.ts";
import { engineDirectory, modelDirectory, readManifest } from "./model-copy.ts";
import { WranglerDev } from "./wrangler-dev.ts";

testServiceConformance("the edge isolate", async () => {
  const dev = await WranglerDev.start();
  return { send: (path, init) => dev.send(path, init), stop: () => dev.stop() };
});

describe("wrangler dev", () => {
  let dev: WranglerDev;
  beforeAll(async () => {
    dev = await WranglerDev.start();
  });
  afterAll(() => dev?.stop());

  test("wrangler dev returns bit-identical vectors to the engine in Node", async () => {
    const node = createSessionEncoder(openNodeModel({ directory: modelDirectory, engineDirectory, device: "wasm" }));
    for (const { inputType, text } of goldenRows) {
      const response = await dev.send("/embed", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ inputs: text, prompt_name: inputType }),
      });
      const [numbers = []] = embedResponseSchema.parse(await response.json());
      expect(Float32Array.from(numbers)).toEqual((await node.embed(text, { inputType })).vectors[0]);
    }
    await node.dispose();
  });

  test("wrangler dev serves the pages and the model beside the API", async () => {
    expect(await (await dev.send("/")).text()).toContain("<title>");
    expect(await (await dev.send("/docs")).text()).toContain("<title>Samevec: the API");
    const manifest = await dev.send("/models/bge-small-en-v1.5/manifest.json");
    expect(await manifest.json()).toEqual(await readManifest());
  });

  test("wrangler dev accepts texts by POST / where the page is served", async () => {
    const response = await dev.send("/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"inputs":"hello"}',
    });
    expect(embedResponseSchema.parse(await response.json())).toHaveLength(1);
  });

  test("wrangler dev answers an unknown path with a JSON error", async () => {
    const response = await dev.send("/nowhere");
    expect(response.status).toBe(404);
    expect(errorResponseSchema.parse(await response.json()).code).toBe("not_found");
  });

  test("wrangler dev stops on request", async () => {
    expect(await dev.stop()).toBe(0);
    await expect(dev.send("/")).rejects.toThrow();
  });
});
