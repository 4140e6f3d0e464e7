import { expect, test } from "vitest";
import type { RemoteWorker } from "../../shared/encoder/protocol.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { unpackTokens } from "../../shared/encoder/token-columns.ts";
import { exposeEncoder } from "../../shared/encoder/worker.ts";
import { FakeModel } from "./fake-model.ts";
import { connect } from "./message-channel.ts";

const workerOf = (fake: FakeModel) => connect<RemoteWorker<null>>((endpoint) => exposeEncoder(() => fake.open, endpoint));

/** A loaded worker in whose runs three texts of six tokens fit. */
async function loadedWorker(tokens = 20) {
  const fake = new FakeModel({ texts: 8, tokens });
  const worker = workerOf(fake);
  await worker.load(null, "any");
  return { fake, worker };
}

const items = ["aaaa", "bbbb", "cccc", "dddd", "eeee"].map((text) => ({ text }));

test("a loaded worker reports its model, its device and the number of texts that share its runs", async () => {
  const fake = new FakeModel({ texts: 8, tokens: 20 });
  expect(await workerOf(fake).load(null, "any")).toEqual({ model: FakeModel.model, device: "wasm", batch: { texts: 8, tokens: 20 } });
});

test("a worker passes the prepared value and its role to its opener", async () => {
  const opened: unknown[] = [];
  const opener = (prepared: string, role: string) => {
    opened.push([prepared, role]);
    return new FakeModel().open;
  };
  const worker = connect<RemoteWorker<string>>((endpoint) => exposeEncoder(opener, endpoint));
  await worker.load("prepared", "interactive");
  expect(opened).toEqual([["prepared", "interactive"]]);
});

test("a worker computes one run per call, with as many of the first texts as fit in it", async () => {
  const { fake, worker } = await loadedWorker();
  const { results } = await worker.embed(items);
  expect(fake.runSizes).toEqual([3]);
  const { vectors } = await createSessionEncoder(new FakeModel().open).embed(["aaaa", "bbbb", "cccc"], { normalize: false });
  expect(results).toEqual(vectors.map((vector) => ({ vector, tokens: 6, truncated: 0 })));
});

test("a worker computes all texts when they fit in a run, and at least one whatever its length", async () => {
  const { worker } = await loadedWorker();
  expect((await worker.embed(items.slice(0, 2))).results).toHaveLength(2);
  const { worker: narrow } = await loadedWorker(5);
  expect((await narrow.embed(items.slice(0, 2))).results).toHaveLength(1);
});

test("a rejected text has an error at its index and does not affect the others of its run", async () => {
  const { worker, fake } = await loadedWorker();
  const long = { text: "x".repeat(500), truncate: false };
  const { results } = await worker.embed([long, { text: "aaaa" }, long, { text: "bbbb" }]);
  const error = { name: "EncoderError", code: "text_too_long", details: { limit: 16, found: 502 } };
  expect(results).toMatchObject([{ error }, { tokens: 6 }, { error }, { tokens: 6 }]);
  expect(fake.ran).toEqual(["aaaa", "bbbb"]);
});

test("texts that are all rejected take no run", async () => {
  const { worker, fake } = await loadedWorker();
  const { results } = await worker.embed([{ text: "x".repeat(500), truncate: false }]);
  expect(results).toMatchObject([{ error: { code: "text_too_long" } }]);
  expect(fake.runSizes).toEqual([]);
});

test("a text that does not fit in the run is neither computed nor reported, even when it would be rejected", async () => {
  const { worker } = await loadedWorker();
  const { results } = await worker.embed([...items, { text: "x".repeat(500), truncate: false }]);
  expect(results).toHaveLength(3);
});

test("the texts of a worker's call keep their own options", async () => {
  const { worker } = await loadedWorker(100);
  const long = "a text of more than sixteen tokens";
  const { results } = await worker.embed([
    { text: "why", inputType: "query" },
    { text: "why" },
    { text: long, truncationDirection: "left" },
    { text: long },
  ]);
  expect(results).toMatchObject([{ tokens: 9 }, { tokens: 5 }, { tokens: 16, truncated: 20 }, { tokens: 16, truncated: 20 }]);
  const vectors = results.map((result) => ("vector" in result ? Array.from(result.vector) : expect.fail("an error")));
  expect(vectors[0]).not.toEqual(vectors[1]);
  expect(vectors[2]).not.toEqual(vectors[3]);
});

test("a worker reports the time of its run", async () => {
  const { worker, fake } = await loadedWorker();
  fake.onRun = () => new Promise((resolve) => setTimeout(resolve, 20));
  const { ms } = await worker.embed(items);
  expect(ms).toBeGreaterThanOrEqual(15);
});

test("a run that fails rejects the worker's call with inference_failed", async () => {
  const { worker, fake } = await loadedWorker();
  fake.onRun = () => {
    throw new Error("the device is lost");
  };
  await expect(worker.embed(items)).rejects.toMatchObject({ name: "EncoderError", code: "inference_failed" });
});

test("a worker rejects a call before it is loaded", async () => {
  const worker = workerOf(new FakeModel());
  await expect(worker.embed(items)).rejects.toMatchObject({ code: "internal" });
  await expect(worker.tokenize("a", {})).rejects.toMatchObject({ code: "internal" });
});

test("a worker whose load fails can be loaded again", async () => {
  const fake = new FakeModel();
  fake.loadFailures.push(new Error("the disk is gone"));
  const worker = workerOf(fake);
  await expect(worker.load(null, "any")).rejects.toMatchObject({ code: "load_failed" });
  await worker.load(null, "any");
  expect((await worker.embed(items)).results).toHaveLength(1);
});

test("a worker that tokenizes stops at maxTokens", async () => {
  const { worker } = await loadedWorker();
  expect(unpackTokens(await worker.tokenize("abc", { maxTokens: 5 }))).toHaveLength(5);
  await expect(worker.tokenize("abc", { maxTokens: 4 })).rejects.toMatchObject({ code: "too_many_tokens", details: { limit: 4 } });
});
