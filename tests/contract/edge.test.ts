import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { embedResponseSchema, errorResponseSchema } from "../../shared/contract.ts";
import { cosineSimilarity, createSessionEncoder } from "../../shared/encoder/encoder.ts";
import { filesOf } from "../../shared/encoder/manifest.ts";
import { openNodeModel } from "../../shared/encoder/sessions/node.ts";
import { goldenRows } from "../golden.ts";
import { testServiceConformance } from "../service-conformance.ts";
import { bundleWorker, EdgeIsolate } from "./edge-isolate.ts";
import { modelDirectory, readManifest } from "./model-copy.ts";
import { WranglerDev } from "./wrangler-dev.ts";

testServiceConformance("the edge isolate", async () => {
  const dev = await WranglerDev.start();
  return { send: (path, init) => fetch(`${dev.url}${path}`, init), stop: () => dev.stop() };
});

describe("wrangler dev", () => {
  let dev: WranglerDev;
  beforeAll(async () => {
    dev = await WranglerDev.start();
  });
  afterAll(() => dev?.stop());

  test("gives the vectors that Node gives", async () => {
    const node = createSessionEncoder(openNodeModel(modelDirectory));
    const cosines = [];
    for (const { kind, text } of goldenRows) {
      const response = await fetch(`${dev.url}/embed`, { method: "POST", body: JSON.stringify({ inputs: text, prompt_name: kind }) });
      const [numbers = []] = embedResponseSchema.parse(await response.json());
      const [vector = new Float32Array()] = (await node.embed(text, { kind })).vectors;
      cosines.push(cosineSimilarity(Float32Array.from(numbers), vector));
    }
    await node.dispose();
    // The float steps between the int8 products end in other last bits here, by which an activation may be rounded to the
    // next int8. Changing the last bit of half the float32 parameters moves Node's own vectors about as far.
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.999);
    expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThanOrEqual(0.9995);
  });

  test("serves the pages and the model beside the API", async () => {
    expect(await (await fetch(dev.url)).text()).toContain("<title>");
    expect(await (await fetch(`${dev.url}/docs`)).text()).toContain("<title>Samevec: the API");
    const manifest = await fetch(`${dev.url}/models/bge-small-en-v1.5/manifest.json`);
    expect(await manifest.json()).toEqual(await readManifest());
  });

  test("answers a path that neither has with a JSON error", async () => {
    const response = await fetch(`${dev.url}/nowhere`);
    expect(response.status).toBe(404);
    expect(errorResponseSchema.parse(await response.json()).code).toBe("not_found");
  });

  test("ends when it is told to", async () => {
    expect(await dev.stop()).toBe(0);
    await expect(fetch(dev.url)).rejects.toThrow();
  });
});

describe("an isolate's first requests", () => {
  let modules: Awaited<ReturnType<typeof bundleWorker>>;
  let files: string[];
  let running: EdgeIsolate | undefined;
  beforeAll(async () => {
    modules = await bundleWorker();
    files = ["manifest.json", ...filesOf(await readManifest(), "cpu")].sort();
  });
  const start = async () => {
    running = await EdgeIsolate.start(modules);
    return running;
  };
  afterEach(() => running?.stop());

  test("share one load", async () => {
    const isolate = await start();
    const responses = await Promise.all(Array.from({ length: 20 }, (_, i) => isolate.embed(`text ${i}`)));
    expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(isolate.asked.toSorted()).toEqual(files);
  });

  test("are served when the client that began the load hangs up", async () => {
    const isolate = await start();
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    isolate.beforeFile = () => held;
    const begun = expect.poll(() => isolate.asked.length).toBe(1);
    const hungUp = isolate.embedAndHangUp("the first", begun);
    await begun;
    const others = [isolate.embed("the second"), isolate.embed("the third")];
    await hungUp;
    goOn();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await isolate.embed("one more")).status).toBe(200);
    expect(isolate.asked.toSorted()).toEqual(files);
  });

  test("fail together when a file cannot be had, and the next one loads again", async () => {
    const isolate = await start();
    isolate.beforeFile = (name) => {
      if (name === "weights-1.bin") throw new Error("the site is down");
    };
    const responses = await Promise.all([isolate.embed("a"), isolate.embed("b"), isolate.embed("c")]);
    expect(responses.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(errorResponseSchema.parse(await responses[0]?.json())).toMatchObject({ code: "load_failed" });
    isolate.beforeFile = () => {};
    expect((await isolate.embed("d")).status).toBe(200);
  });

  test("and all others are served while clients hang up", async () => {
    const isolate = await start();
    await isolate.embed("warm");
    const texts = Array.from({ length: 3 }, (_, i) => `text ${i} ${"of some length ".repeat(60)}`);
    const leaving = [0, 20, 100, 200].map((ms) => isolate.embedAndHangUp(texts, new Promise((resolve) => setTimeout(resolve, ms))));
    const staying = [isolate.embed("a"), isolate.embed(texts), isolate.embed("b")];
    await Promise.all(leaving);
    expect((await Promise.all(staying)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await isolate.embed("after")).status).toBe(200);
  });
});
