import { readFile } from "node:fs/promises";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { embedResponseSchema, errorResponseSchema } from "../../shared/contract.ts";
import { filesOf } from "../../shared/encoder/manifest.ts";
import { bundleWorker, EdgeIsolate, type IsolateOptions, type WorkerBundle } from "./edge-isolate.ts";
import { readManifest } from "./model-copy.ts";

let bundle: WorkerBundle;
let files: string[];
let running: EdgeIsolate | undefined;
beforeAll(async () => {
  bundle = await bundleWorker();
  files = ["manifest.json", ...filesOf(await readManifest(), "wasm")].sort();
});
const start = async (options?: IsolateOptions) => {
  running = await EdgeIsolate.start(bundle, options);
  return running;
};
afterEach(async () => {
  const isolate = running;
  running = undefined;
  await isolate?.stop();
  expect(isolate?.fetchedElsewhere).toEqual([]);
});

const statuses = async (responses: readonly Promise<Response>[]) => (await Promise.all(responses)).map(({ status }) => status);
const errorOf = async (response: Response) => ({ status: response.status, ...errorResponseSchema.parse(await response.json()) });
/** A text of about so many tokens. */
const words = (tokens: number) => "word ".repeat(tokens);

describe("model loading in an isolate", () => {
  test("an isolate's first requests share one model load", async () => {
    const isolate = await start();
    expect(await statuses(Array.from({ length: 20 }, (_, i) => isolate.embed(`text ${i}`)))).toEqual(Array(20).fill(200));
    expect(isolate.asked.toSorted()).toEqual(files);
  });

  test("an isolate answers 49 of 50 first requests when the client that started the load hangs up", async () => {
    const isolate = await start();
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    isolate.beforeFile = (name) => (name === "weights-1.bin" ? held : undefined);
    const begun = expect.poll(() => isolate.asked, { timeout: 30_000 }).toContain("weights-1.bin");
    const hungUp = isolate.embedAndHangUp("the first", begun);
    await begun;
    const others = Array.from({ length: 49 }, (_, i) => isolate.embed(`text ${i}`));
    await hungUp;
    goOn();
    expect(await statuses(others)).toEqual(Array(49).fill(200));
    expect((await isolate.embed("one more")).status).toBe(200);
    expect(isolate.asked.toSorted()).toEqual(files);
  });

  test("an isolate's first requests fail together when a weights file is unavailable, and the next request loads again", async () => {
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
});

describe("scheduling in an isolate", () => {
  test("an isolate answers other requests between the texts of a long request", async () => {
    const isolate = await start();
    await isolate.embed("warm");
    const ended: string[] = [];
    const end = (name: string) => (response: Response) => {
      ended.push(name);
      return response.status;
    };
    const long = isolate.embed(Array(8).fill(words(300))).then(end("long"));
    // Answered: the long one, which came before, is being computed. It takes several hundred times as long as the next two.
    await isolate.send("/health");
    const short = isolate.embed("short").then(end("short"));
    const health = isolate.send("/health").then(end("health"));
    expect(await Promise.all([long, short, health])).toEqual([200, 200, 200]);
    expect(ended.at(-1)).toBe("long");
  });

  test("an isolate runs one text at a time, so concurrent requests get the same vectors as separate ones", async () => {
    const isolate = await start();
    const lists = [0, 1, 2, 3].map((list) => [3, 40, 7, 90].map((tokens) => `${list} ${words(tokens)}`));
    const vectorsOf = async (response: Promise<Response>) => embedResponseSchema.parse(await (await response).json());
    const alone: number[][][] = [];
    for (const list of lists) alone.push(await vectorsOf(isolate.embed(list)));
    expect(await Promise.all(lists.map((list) => vectorsOf(isolate.embed(list))))).toEqual(alone);
  });

  test("an isolate rejects requests beyond its queue limit at once, with retry-after", async () => {
    const isolate = await start({ variables: { QUEUE_TEXTS: 10 } });
    await isolate.embed("warm");
    // Texts too long to share a run: between two runs the isolate takes other requests.
    const responses = await Promise.all(Array.from({ length: 4 }, () => isolate.embed(Array(6).fill(words(300)))));
    const refused = responses.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(3);
    for (const response of refused) {
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(await errorOf(response)).toMatchObject({ status: 429, code: "overloaded" });
    }
    expect((await isolate.embed(Array(6).fill("after"))).status).toBe(200);
  });

  test("an isolate answers other requests while clients hang up, and frees their places in the queue", async () => {
    const isolate = await start({ variables: { QUEUE_TEXTS: 40 } });
    await isolate.embed("warm");
    const texts = Array.from({ length: 5 }, (_, i) => `text ${i} ${words(100)}`);
    const leaving = [0, 20, 100, 200].map((ms) => isolate.embedAndHangUp(texts, new Promise((resolve) => setTimeout(resolve, ms))));
    const staying = [isolate.embed("a"), isolate.embed(texts.slice(0, 3)), isolate.embed("b")];
    await Promise.all(leaving);
    expect(await statuses(staying)).toEqual([200, 200, 200]);
    // 36 is all that bulk requests may have: a place that was never given back would be missed.
    const room = () => statuses([isolate.embed(Array(16).fill("first")), isolate.embed(Array(20).fill("second"))]);
    await expect.poll(room, { timeout: 45_000 }).toEqual([200, 200]);
  });

  test("an isolate rejects a body beyond its body budget, and frees the budget when a client hangs up mid-body", async () => {
    const isolate = await start({ variables: { MAX_BODY_BYTES: 1_000, MAX_BODY_BYTES_IN_FLIGHT: 1_000 } });
    await isolate.embed("warm");
    const ask = async () => (await isolate.embed("a text")).status;
    const refused = expect.poll(ask).toBe(429);
    const hungUp = isolate.sendPartAndHangUp(1_000, refused);
    await refused;
    await hungUp;
    await expect.poll(ask, { timeout: 10_000 }).toBe(200);
  });

  test("an isolate rejects requests over its token limit with a reason", async () => {
    const isolate = await start({ variables: { MAX_TOKENS: 100 } });
    expect(await errorOf(await isolate.embed([words(60), words(60)]))).toMatchObject({
      status: 413,
      code: "too_many_tokens",
      details: { limit: 100 },
    });
    const response = await isolate.send("/v1/embeddings", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: words(120) }),
    });
    expect(response.status).toBe(413);
    expect((await isolate.embed(words(60))).status).toBe(200);
  });
});

describe("settings of an isolate", () => {
  test("an isolate requires an API key and allows the configured CORS origins", async () => {
    const variables = { API_KEYS: "first-key,second-key", CORS_ORIGINS: "https://page.example" };
    const isolate = await start({ variables });
    expect(await errorOf(await isolate.embed("a"))).toMatchObject({ status: 401, code: "invalid_api_key" });
    expect(isolate.asked).toEqual([]);
    const headers = { authorization: "Bearer second-key", origin: "https://page.example" };
    const response = await isolate.embed("a", headers);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://page.example");
    const stranger = await isolate.embed("a", { ...headers, origin: "https://stranger.example" });
    expect(stranger.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("an isolate limits the rate of each API key", async () => {
    const isolate = await start({ variables: { API_KEYS: "first-key,second-key", RATE_LIMIT: 1 } });
    const ask = async (key: string) => (await isolate.embed("a", { authorization: `Bearer ${key}` })).status;
    await ask("first-key");
    expect(await Promise.all([ask("first-key"), ask("first-key")])).toContain(429);
    expect(await ask("second-key")).toBe(200);
    await expect.poll(() => ask("first-key"), { interval: 1_100 }).toBe(200);
  });

  test("an isolate applies configured limits and model aliases", async () => {
    const isolate = await start({ variables: { MAX_TEXTS: 2, MODEL_ALIASES: "text-embedding-3-small" } });
    expect(await errorOf(await isolate.embed(["a", "b", "c"]))).toMatchObject({ status: 413, code: "too_many_texts" });
    const body = JSON.stringify({ input: "a", model: "text-embedding-3-small" });
    expect((await isolate.send("/v1/embeddings", { method: "POST", headers: { "content-type": "application/json" }, body })).status).toBe(
      200,
    );
  });

  test("an isolate with invalid settings answers every request with 500", async () => {
    const isolate = await start({ variables: { API_KEYS: "short" } });
    expect((await isolate.embed("a")).status).toBe(500);
    expect(isolate.asked).toEqual([]);
  });
});

test("another Worker embeds through a service binding, as in docs/examples", async () => {
  const caller = await readFile(new URL("../../docs/examples/calling-worker.js", import.meta.url), "utf8");
  const isolate = await start({ caller });
  const response = await isolate.send("/?query=why+does+the+sea+come+and+go");
  expect(await response.text()).toBe("The moon's pull makes the tides.");
});
