import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { testServiceConformance } from "../service-conformance.ts";
import { nativeSessionsPerLoad } from "./native-sessions.ts";
import { RuntimeLog } from "./runtime-log.ts";
import { ServerProcess } from "./server-process.ts";

const recorder = fileURLToPath(new URL("record-runtime.cjs", import.meta.url));
const running: ServerProcess[] = [];
const start = async (...args: Parameters<typeof ServerProcess.start>) => {
  const server = await ServerProcess.start(...args);
  running.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

const long = (i: number) => `text ${i} ${"of some length ".repeat(60)}`;

testServiceConformance("the Node server", async () => {
  const server = await ServerProcess.start({ WORKERS: "2" });
  return { send: (path, init) => fetch(`${server.url}${path}`, init), stop: () => server.stop() };
});

test("the server loads and computes only in worker processes", async () => {
  const log = new RuntimeLog();
  const server = await start({ RUNTIME_LOG: log.file, WORKERS: "2" }, ["--require", recorder]);
  await Promise.all(Array.from({ length: 8 }, (_, i) => server.embed({ inputs: [long(i), long(i + 100)] })));
  // Two for any text, and the one that is kept for interactive requests.
  await expect.poll(() => log.count("create"), { timeout: 10_000 }).toBe(3 * nativeSessionsPerLoad);
  const workers = new Set(log.events().map(({ worker }) => worker));
  expect(log.count("run-end")).toBeGreaterThanOrEqual(16);
  expect(workers.size).toBe(3);
  expect(workers.has(0)).toBe(false);
});

test("the server answers /health at once while the model loads", async () => {
  const server = await start();
  const { status } = (await (await fetch(`${server.url}/health`)).json()) as { status: string };
  expect(["loading", "degraded", "ok"]).toContain(status);
  expect(server.output).not.toContain("ready");
});

test("the server drops the queued texts of a client that disconnects", async () => {
  const log = new RuntimeLog();
  const server = await start({ RUNTIME_LOG: log.file, WORKERS: "1" }, ["--require", recorder]);
  await server.embed({ inputs: "warm" });
  const before = log.count("run-start");
  const hangUp = new AbortController();
  const gone = server.embed({ inputs: Array.from({ length: 200 }, (_, i) => long(i)) }, { signal: hangUp.signal });
  await expect.poll(() => log.count("run-start") - before, { interval: 20 }).toBeGreaterThan(0);
  hangUp.abort();
  await expect(gone).rejects.toThrow();
  expect((await server.embed({ inputs: "the next request" })).status).toBe(200);
  expect(log.count("run-start") - before).toBeLessThan(100);
});

test("the server logs no text of a request", async () => {
  const server = await start();
  await server.embed({ inputs: ["a very private text", "half \ud800"] });
  await server.embed({ inputs: "a very private text" });
  await server.stop();
  expect(server.output).not.toContain("private");
});

test("the server sends the page compressed and the model uncompressed", async () => {
  const server = await start();
  const encodingOf = async (path: string) => (await fetch(`${server.url}${path}`)).headers.get("content-encoding");
  const page = await (await fetch(`${server.url}/`)).text();
  const [, script] = /<script[^>]* src="\.(\/assets\/[^"]+)"/.exec(page) ?? [];
  expect(await encodingOf(script ?? "")).toBe("gzip");
  expect(await encodingOf("/")).toBe("gzip");
  expect(await encodingOf("/models/bge-small-en-v1.5/engine.bin")).toBeNull();
  expect(await encodingOf("/runtimes/webgpu.bin")).toBeNull();
});

test("the server rejects invalid settings by name", async () => {
  await expect(start({ PORT: "eighty" })).rejects.toThrow(/code 2: .*environment[\s\S]*PORT/);
  await expect(start({ WORKERS: "0" })).rejects.toThrow(/WORKERS/);
  await expect(start({ MODEL: "no-slash" })).rejects.toThrow(/MODEL/);
});

test("the server reports a port that is in use", async () => {
  const first = await start();
  await expect(start({ PORT: new URL(first.url).port })).rejects.toThrow(/port \d+ is in use/);
});
