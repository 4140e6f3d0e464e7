import { Hono } from "hono";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createApp } from "../../api/app.ts";
import { respondWithError } from "../../api/errors.ts";
import { deadline } from "../../api/middleware/deadline.ts";
import { defaultConfig } from "../../api/service.ts";
import { abortable } from "../../shared/async.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An app whose `/slow` waits for its signal alone. */
function createSlowApp(timeout: number) {
  const signals: AbortSignal[] = [];
  const app = new Hono();
  app.onError((error, c) => respondWithError(c, error));
  app.use(deadline(timeout));
  app.get("/slow", async (c) => {
    signals.push(c.var.signal);
    return abortable(new Promise<Response>(() => {}), c.var.signal);
  });
  app.get("/fast", (c) => {
    signals.push(c.var.signal);
    return c.text("answered");
  });
  app.get("/fails", () => {
    throw new Error("a handler's mistake");
  });
  return { app, signals };
}

const requestOf = (path: string, signal: AbortSignal) => new Request(`http://service.test${path}`, { signal });

test("a request that exceeds its deadline gets 504 timeout with the limit", async () => {
  const { app, signals } = createSlowApp(500);
  const answer = app.request("/slow");
  await vi.advanceTimersByTimeAsync(499);
  expect(signals[0]?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  const response = await answer;
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ code: "timeout", details: { limit: 500 } });
  expect(signals[0]?.reason).toMatchObject({ code: "timeout", details: { limit: 500 } });
});

test.each(["/fast", "/fails", "/nowhere"])("a request's timer and abort listener are removed when it ends: %s", async (path) => {
  const { app, signals } = createSlowApp(500);
  const client = new AbortController();
  const request = requestOf(path, client.signal);
  const added = vi.spyOn(request.signal, "addEventListener");
  const removed = vi.spyOn(request.signal, "removeEventListener");
  await app.request(request);
  expect(vi.getTimerCount()).toBe(0);
  expect(added).toHaveBeenCalledTimes(1);
  expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener));
  client.abort();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(signals.every(({ aborted }) => !aborted)).toBe(true);
});

test("a client that disconnects aborts the signal with its own reason", async () => {
  const { app, signals } = createSlowApp(500);
  const client = new AbortController();
  const answer = Promise.resolve(app.request(requestOf("/slow", client.signal))).catch(() => null);
  await vi.advanceTimersByTimeAsync(10);
  expect(signals[0]?.aborted).toBe(false);
  client.abort(new Error("the tab was closed"));
  await answer;
  expect(signals[0]?.reason).toEqual(new Error("the tab was closed"));
  expect(vi.getTimerCount()).toBe(0);
});

test("a client that has disconnected before the handler runs has an aborted signal", async () => {
  const { app, signals } = createSlowApp(500);
  await Promise.resolve(app.request(requestOf("/slow", AbortSignal.abort(new Error("gone"))))).catch(() => null);
  expect(signals[0]?.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("concurrent requests have separate deadlines", async () => {
  const { app, signals } = createSlowApp(500);
  const first = app.request("/slow");
  await vi.advanceTimersByTimeAsync(300);
  const second = app.request("/slow");
  await vi.advanceTimersByTimeAsync(200);
  expect((await first).status).toBe(504);
  expect(signals[1]?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(300);
  expect((await second).status).toBe(504);
});

test("a request that times out leaves the queue; its loading time counts, and loading continues", async () => {
  const fake = new FakeModel();
  const pool = createPool(fake, { size: 1 });
  const app = createApp({ encoder: pool, config: { ...defaultConfig, requestTimeout: 500 } });
  fake.onRun = () => new Promise(() => {});
  const body = JSON.stringify({ inputs: Array(50).fill("text") });
  const answer = Promise.resolve(app.request("/embed", { method: "POST", body, headers: { "content-type": "application/json" } }));
  await vi.advanceTimersByTimeAsync(500);
  const response = await answer;
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ code: "timeout", error_type: "Backend" });
  expect(pool.info().pending).toEqual({ texts: 0, tokens: 0 });
  vi.useRealTimers();
  await expect.poll(() => pool.info().state).toBe("ready");
  expect(fake.opened).toBe(1);
});
