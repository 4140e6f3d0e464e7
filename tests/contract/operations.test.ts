import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { Exposition } from "../exposition.ts";
import { ServerProcess } from "./server-process.ts";

const running: ServerProcess[] = [];
const start = async (env: Record<string, string>) => {
  const server = await ServerProcess.start(env);
  running.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

const scrape = async ({ url }: ServerProcess) => {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  return new Exposition(await response.text());
};

describe("/metrics", () => {
  test("/metrics counts one model load per worker, however many requests come first", async () => {
    const server = await start({ WORKERS: "2", INTERACTIVE_WORKERS: "1" });
    const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => server.embed({ inputs: [`text ${i}`, `passage ${i}`] })));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    await expect.poll(async () => (await scrape(server)).sum("samevec_model_loads_total")).toBe(3);
    const metrics = await scrape(server);
    expect(metrics.sum("samevec_workers_ready")).toBe(metrics.sum("samevec_workers_wanted"));
    expect(metrics.sum("samevec_worker_restarts_total")).toBe(0);
    expect(metrics.sum("samevec_requests_total", { route: "/embed", method: "POST", status: "200" })).toBe(24);
  });

  test("/metrics reports requests, their durations and the queue", async () => {
    const server = await start({ WORKERS: "1" });
    await server.embed({ inputs: "warm" });
    const { headers } = await server.embed({ inputs: ["how tides work", "bleeding a radiator"] });
    await server.embed({ inputs: ["how tides work", "how tides work", "something new"] });
    await server.embed({ inputs: [] });
    const bulk = server.embed({ inputs: Array.from({ length: 100 }, (_, i) => `text ${i} ${"of some length ".repeat(60)}`) });
    await expect.poll(async () => (await scrape(server)).sum("samevec_queue_texts"), { interval: 20 }).toBeGreaterThan(0);
    const busy = await scrape(server);
    expect(busy.sum("samevec_queue_tokens")).toBeGreaterThan(busy.sum("samevec_queue_texts"));
    expect((await bulk).status).toBe(200);

    const metrics = await scrape(server);
    expect(metrics.sum("samevec_queue_texts")).toBe(0);
    expect(metrics.sum("samevec_queue_tokens")).toBe(0);
    expect(metrics.sum("samevec_requests_total", { route: "/embed", status: "200" })).toBe(4);
    expect(metrics.sum("samevec_requests_total", { route: "/embed", status: "400" })).toBe(1);
    expect(metrics.sum("samevec_request_duration_seconds_count", { route: "/embed", status: "200" })).toBe(4);
    expect(metrics.sum("samevec_queue_duration_seconds_count")).toBe(4);
    expect(metrics.sum("samevec_inference_duration_seconds_sum")).toBeGreaterThan(0);
    expect(metrics.sum("samevec_texts_total")).toBe(106);
    expect(metrics.sum("samevec_tokens_total")).toBeGreaterThan(Number(headers.get("x-compute-tokens")) + 100 * 100);
    expect(metrics.sum("samevec_cache_lookups_total", { result: "hit" })).toBe(2);
    expect(metrics.sum("samevec_cache_lookups_total", { result: "miss" })).toBe(104);
    expect(metrics.sum("samevec_cache_lookups_total")).toBe(106);
    expect(metrics.sum("samevec_cache_bytes")).toBeGreaterThan(104 * 384 * 4);
    expect(metrics.sum("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
    expect(metrics.sum("process_resident_memory_bytes")).toBeGreaterThan(0);
  });

  test("/metrics counts rejected requests", async () => {
    const server = await start({ WORKERS: "1", QUEUE_TEXTS: "100" });
    const bulk = (name: string) =>
      server.embed({ inputs: Array.from({ length: 80 }, (_, i) => `${name} ${i} ${"of some length ".repeat(60)}`) });
    await server.embed({ inputs: "warm" });
    const statuses = (await Promise.all(["a", "b", "c", "d"].map(bulk))).map(({ status }) => status);
    const refused = statuses.filter((status) => status === 429).length;
    const metrics = await scrape(server);
    expect(metrics.sum("samevec_refused_requests_total")).toBe(refused);
    expect(metrics.sum("samevec_requests_total", { status: "429" })).toBe(refused);
  });
});

describe("the log", () => {
  /** Whatever a caller may send: "private" stands for a text. */
  const requests: readonly [string, RequestInit][] = [
    ["/embed", { method: "POST", body: '{"inputs":"private"}' }],
    ["/embed", { method: "POST", body: '{"inputs":"private' }],
    ["/embed", { method: "POST", body: "private" }],
    ["/embed", { method: "POST", body: '{"inputs":"a private \\ud800"}' }],
    ["/embed", { method: "POST", body: '{"inputs":["a",{"private":1}]}' }],
    ["/embed", { method: "POST", body: '{"inputs":"a","private":"private"}' }],
    ["/embed", { method: "POST", body: '{"inputs":"a","prompt_name":"private"}' }],
    ["/embed", { method: "POST", body: '{"inputs":"a","dimensions":"private"}' }],
    ["/embed", { method: "POST", body: JSON.stringify({ inputs: "private ".repeat(1000), truncate: false }) }],
    ["/embed", { method: "POST", body: JSON.stringify({ inputs: "private ".repeat(40_000) }) }],
    ["/embed", { method: "POST", body: JSON.stringify({ inputs: Array.from({ length: 2000 }, () => "private") }) }],
    ["/embed", { method: "POST", body: new Uint8Array([0x22, 0xff, 0x70, 0x72, 0x69, 0x76, 0x61, 0x74, 0x65]) }],
    ["/embed?inputs=private", { method: "POST", body: "{}" }],
    ["/embed?inputs=private", { method: "GET" }],
    ["/private", {}],
    ["/private%20text", { method: "POST", body: "private" }],
    ["/%E0%A4%A-private", {}],
    ["/v1/models/private", {}],
    ["/v1/models/private", { method: "DELETE" }],
    ["/v1/embeddings", { method: "POST", body: '{"input":"a","model":"private"}' }],
    ["/v1/embeddings", { method: "POST", body: '{"input":"a","user":"private","encoding_format":"private"}' }],
    ["/v1/embeddings", { method: "POST", body: '{"input":[["private"]]}' }],
    ["/tokenize", { method: "POST", body: '{"inputs":{"private":"private"}}' }],
    ["/similarity", { method: "POST", body: '{"inputs":{"source_sentence":"private \\udfff","sentences":["private"]}}' }],
    [
      "/health",
      { headers: { "x-request-id": "a private text", "user-agent": "private", referer: "http://private.test/", cookie: "private" } },
    ],
    ["/embed", { method: "POST", body: "{", headers: { authorization: "Bearer private", "content-type": "private/private" } }],
  ];

  /** What is no HTTP, over a bare socket. */
  const garbage = [
    "private\r\n\r\n",
    "POST /embed HTTP/1.1\r\nhost: private\r\ncontent-length: private\r\n\r\n",
    "GET /private private\r\n\r\n",
  ];

  const sendRaw = async (url: string, bytes: string) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {}).resume();
    socket.end(bytes);
    await once(socket, "close");
  };

  test.each([{}, { API_KEYS: "private-key-1,private-key-2", CORS_ORIGINS: "https://a.test" }])(
    "the log has one line of JSON per event and no request content, whatever fails: %j",
    async (env) => {
      const server = await start({ WORKERS: "1", LOG_LEVEL: "debug", ...env });
      const key = { authorization: "Bearer private-key-1" };
      await fetch(`${server.url}/info`, { headers: key });
      for (const [path, init] of requests) {
        const response = await fetch(`${server.url}${path}`, {
          ...init,
          headers: { ...key, "content-type": "application/json", ...init.headers },
        });
        const { status } = response;
        const body = await response.text();
        // What succeeds may answer with the caller's own: a tokenizer's tokens are texts.
        if (status >= 400) expect(body, `${init.method ?? "GET"} ${path}`).not.toContain("private");
        expect(status).toBeLessThan(500);
      }
      for (const bytes of garbage) await sendRaw(server.url, bytes);
      const hangUp = new AbortController();
      const gone = server.embed({ inputs: Array.from({ length: 100 }, (_, i) => `private ${i} `.repeat(50)) }, { signal: hangUp.signal });
      await new Promise((resolve) => setTimeout(resolve, 50));
      hangUp.abort();
      await gone.catch(() => {});
      expect(await server.stop()).toBe(0);

      expect(server.output).not.toContain("private");
      const events = server.log.map((line) => JSON.parse(line) as Record<string, unknown>);
      for (const event of events) {
        expect(event).toMatchObject({ level: expect.stringMatching(/^(debug|info|warn|error)$/), time: expect.stringMatching(/Z$/) });
      }
      expect(events.filter(({ msg }) => msg === "request").length).toBeGreaterThanOrEqual(requests.length);
      expect(events.map(({ msg }) => msg)).toEqual(expect.arrayContaining(["started", "model loaded", "stopping", "stopped"]));
    },
  );

  test("the log contains a request's x-request-id and its timings", async () => {
    const server = await start({ WORKERS: "1" });
    const { headers } = await server.embed(
      { inputs: ["how tides work", "bleeding a radiator"] },
      { headers: { "x-request-id": "of-a-caller" } },
    );
    expect(headers.get("x-request-id")).toBe("of-a-caller");
    await server.stop();
    const event = server.log.map((line) => JSON.parse(line)).find(({ id }) => id === "of-a-caller");
    expect(event).toMatchObject({ level: "info", msg: "request", method: "POST", route: "/embed", status: 200, texts: 2 });
    expect(event.tokens).toBe(Number(headers.get("x-compute-tokens")));
    expect(event.ms).toBeGreaterThan(0);
  });

  test("the log contains an error's name and stack but not its message, and is complete when the process exits at once", async () => {
    const log = new URL("../../dist/api/node/log.js", import.meta.url).href;
    const script = `import { createLog } from ${JSON.stringify(log)};
      createLog("info").onFault({ id: "1", route: "/embed" }, new RangeError("private\\n    at private (private:1)"));
      process.exit();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
    expect(JSON.parse(stdout)).toMatchObject({ level: "error", msg: "fault", id: "1", route: "/embed", error: "RangeError" });
    expect(JSON.parse(stdout).stack[0]).toMatch(/^at file:/);
    expect(stdout).not.toContain("private");
  });

  test("the log omits events below LOG_LEVEL", async () => {
    const server = await start({ WORKERS: "1", LOG_LEVEL: "warn" });
    await server.embed({ inputs: "how tides work" });
    await server.stop();
    expect(server.log).toEqual([]);
  });
});

test("the server warns when it listens beyond this machine without API keys", async () => {
  const open = await start({ WORKERS: "1", HOST: "0.0.0.0" });
  const guarded = await start({ WORKERS: "1", HOST: "0.0.0.0", API_KEYS: "a-key-of-8" });
  const local = await start({ WORKERS: "1" });
  expect((await fetch(`${guarded.url}/embed`, { method: "POST" })).status).toBe(401);
  expect((await guarded.embed({ inputs: "a" }, { headers: { authorization: "Bearer a-key-of-8" } })).status).toBe(200);
  await Promise.all([open, guarded, local].map((server) => server.stop()));
  expect(open.output).toContain("API_KEYS");
  expect(guarded.output).not.toContain("API_KEYS");
  expect(guarded.output).not.toContain("a-key-of-8");
  expect(local.output).not.toContain("API_KEYS");
});
