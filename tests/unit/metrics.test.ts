import { afterEach, describe, expect, test } from "vitest";
import { createMetrics } from "../../api/node/metrics.ts";
import type { Load } from "../../api/observer.ts";
import { EncoderPool } from "../../shared/encoder/pool.ts";
import { EncoderError } from "../../shared/errors.ts";
import { Exposition } from "../exposition.ts";
import { FakeModel } from "./fake-model.ts";

const idle: Load = {
  queuedTexts: 0,
  queuedTokens: 0,
  workers: { ready: 0, size: 0 },
  device: null,
  cacheBytes: 0,
  connections: { open: 0, dropped: 0 },
};
const pools: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.dispose()));
});

const start = (fake: FakeModel, size: number) => {
  const metrics = createMetrics(() => idle);
  const pool = new EncoderPool({ spawn: fake.spawn, size, prepare: async () => null, observer: metrics.observer });
  pools.push(pool);
  return { pool, scrape: async () => new Exposition(await (await metrics.exposition()).text()) };
};

describe("the metrics of a pool", () => {
  test("pool metrics count one load per worker, however many calls come first", async () => {
    const fake = new FakeModel();
    const { pool, scrape } = start(fake, 3);
    await Promise.all(Array.from({ length: 40 }, (_, i) => pool.embed(`text ${i}`)));
    await expect.poll(async () => (await scrape()).sum("samevec_model_loads_total")).toBe(3);
    expect((await scrape()).sum("samevec_worker_restarts_total")).toBe(0);
  });

  test("pool metrics count replaced workers by error code", async () => {
    const fake = new FakeModel();
    const { pool, scrape } = start(fake, 2);
    await pool.load();
    fake.workers[0]?.die();
    await expect.poll(async () => (await scrape()).sum("samevec_worker_restarts_total", { code: "worker_died" })).toBe(1);
    await expect.poll(async () => (await scrape()).sum("samevec_model_loads_total")).toBe(3);
  });

  test("pool metrics count failed loads by error code", async () => {
    const fake = new FakeModel();
    fake.loadFailures.push(new EncoderError("integrity_failed", "weights-0.bin is another file"));
    const { pool, scrape } = start(fake, 1);
    await pool.embed("a").catch(() => {});
    expect((await scrape()).sum("samevec_model_load_failures_total", { code: "integrity_failed" })).toBe(1);
  });
});

test("counters start at 0, so that a first event is an increase", async () => {
  const scraped = new Exposition(await (await createMetrics(() => idle).exposition()).text());
  for (const name of ["samevec_model_loads_total", "samevec_worker_restarts_total", "samevec_refused_requests_total"]) {
    expect(scraped.sum(name)).toBe(0);
  }
  for (const result of ["hit", "joined", "miss"]) expect(scraped.sum("samevec_cache_lookups_total", { result })).toBe(0);
});

test("gauges show the values at the time of the scrape", async () => {
  let load = idle;
  const metrics = createMetrics(() => load);
  load = {
    queuedTexts: 7,
    queuedTokens: 90,
    workers: { ready: 1, size: 2 },
    device: "wasm",
    cacheBytes: 4096,
    connections: { open: 5, dropped: 1 },
  };
  const scraped = new Exposition(await (await metrics.exposition()).text());
  expect(scraped.sum("samevec_queue_texts")).toBe(7);
  expect(scraped.sum("samevec_queue_tokens")).toBe(90);
  expect(scraped.sum("samevec_workers_ready")).toBe(1);
  expect(scraped.sum("samevec_workers_wanted")).toBe(2);
  expect(scraped.sum("samevec_cache_bytes")).toBe(4096);
  expect(scraped.sum("samevec_open_connections")).toBe(5);
  expect(scraped.sum("samevec_dropped_connections_total")).toBe(1);
});

test("the workers gauge is labelled with the current device, and absent before the first load", async () => {
  let load = idle;
  const metrics = createMetrics(() => load);
  const devices = async () => {
    const { samples } = new Exposition(await (await metrics.exposition()).text());
    return samples.flatMap(({ name, labels, value }) => (name === "samevec_device_workers" ? [[labels.device, value]] : []));
  };
  expect(await devices()).toEqual([]);
  load = { ...idle, workers: { ready: 2, size: 2 }, device: "native" };
  expect(await devices()).toEqual([["native", 2]]);
  load = { ...load, device: "wasm", workers: { ready: 1, size: 2 } };
  expect(await devices()).toEqual([["wasm", 1]]);
});
