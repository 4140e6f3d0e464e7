import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { RuntimeLog } from "./runtime-log.ts";
import { ServerProcess } from "./server-process.ts";

const recorder = fileURLToPath(new URL("record-runtime.cjs", import.meta.url));
const running: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

/** A server with one worker that is ready, and a way to its runs and its metrics. */
async function startSmall(env: Record<string, string>) {
  const log = new RuntimeLog();
  const settings = { WORKERS: "1", INTERACTIVE_WORKERS: "0", RUNTIME_LOG: log.file, ...env };
  const server = await ServerProcess.start(settings, ["--require", recorder]);
  running.push(server);
  await server.embed({ inputs: "warm" });
  const runsBefore = log.count("run-end");
  return {
    server,
    runs: () => log.count("run-end") - runsBefore,
    async metric(name: string): Promise<number> {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const line = text.split("\n").find((one) => one.startsWith(`${name} `)) ?? expect.fail(`no ${name}`);
      return Number(line.split(" ")[1]);
    },
  };
}

const long = (count: number, name = "text") => Array.from({ length: count }, (_, i) => `${name} ${i} ${"of some length ".repeat(60)}`);

test("a full queue rejects a whole request with 429 and retry-after, and accepts it after that time", async () => {
  const { server, runs, metric } = await startSmall({ QUEUE_TEXTS: "20" });
  const first = server.embed({ inputs: long(40) });
  await expect.poll(() => metric("samevec_queue_texts")).toBeGreaterThan(20);

  const refused = await server.embed({ inputs: long(5, "other") });
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ code: "overloaded", error_type: "Overloaded" });
  expect(refused.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  const openAI = await fetch(`${server.url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: long(5, "other") }),
  });
  expect(openAI.status).toBe(429);
  expect(openAI.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  expect(await openAI.json()).toMatchObject({ error: { type: "rate_limit_error", code: "overloaded" } });

  expect((await first).status).toBe(200);
  expect(runs()).toBe(40);
  expect(await metric("samevec_refused_requests_total")).toBe(2);
  expect(await metric("samevec_queue_texts")).toBe(0);
  expect((await server.embed({ inputs: long(5, "other") })).status).toBe(200);
});

test("a cached text is answered while the queue is full", async () => {
  const { server, metric } = await startSmall({ QUEUE_TOKENS: "10" });
  await server.embed({ inputs: "kept" });
  const busy = server.embed({ inputs: long(20) });
  busy.catch(() => {});
  await expect.poll(() => metric("samevec_queue_texts")).toBeGreaterThan(1);
  expect((await server.embed({ inputs: "new" })).status).toBe(429);
  const cached = await server.embed({ inputs: "kept" });
  expect(cached.status).toBe(200);
  expect(cached.headers.get("x-inference-time")).toBe("0");
  expect((await busy).status).toBe(200);
});

test("a request that exceeds REQUEST_TIMEOUT is answered with 504, and its texts leave the queue", async () => {
  const { server, runs, metric } = await startSmall({ REQUEST_TIMEOUT: "0.5" });
  const late = await server.embed({ inputs: long(500) });
  expect(late.status).toBe(504);
  expect(await late.json()).toMatchObject({ code: "timeout" });
  expect(await metric("samevec_queue_texts")).toBe(0);
  // The batch that is being computed ends first, which may take longer than this timeout.
  const statusOfNext = async () => (await server.embed({ inputs: "the next" })).status;
  await expect.poll(statusOfNext, { timeout: 20_000 }).toBe(200);
  expect(runs()).toBeLessThan(250);
});

test("a client that disconnects frees its places in the queue", async () => {
  const { server, runs, metric } = await startSmall({ QUEUE_TEXTS: "50" });
  const hangUp = new AbortController();
  const gone = server.embed({ inputs: long(500) }, { signal: hangUp.signal });
  const told = expect(gone).rejects.toThrow();
  await expect.poll(() => metric("samevec_queue_texts")).toBeGreaterThan(50);
  hangUp.abort();
  await told;
  await expect.poll(() => metric("samevec_queue_texts")).toBe(0);
  expect((await server.embed({ inputs: long(5) })).status).toBe(200);
  expect(runs()).toBeLessThan(250);
});
