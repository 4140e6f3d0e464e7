import { expect, test } from "vitest";
import { AdmissionEncoder } from "../../shared/encoder/admission.ts";
import { DeadlineEncoder } from "../../shared/encoder/deadline.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

const never = () => new Promise<void>(() => {});

testEncoderConformance("a pool under a deadline", () => {
  const fake = new FakeModel();
  return { encoder: new DeadlineEncoder(createPool(fake, { size: 1 }), 10_000), sessionsCreated: () => fake.opened, sessionsPerLoad: 1 };
});

test("a call that takes too long ends with a timeout, and its texts leave the queue", async () => {
  const fake = new FakeModel();
  fake.onRun = never;
  const pool = createPool(fake, { size: 1 });
  const admission = new AdmissionEncoder(pool, { texts: 100, tokens: 1_000, wait: 60_000 });
  const encoder = new DeadlineEncoder(admission, 20);
  await pool.load();
  const late = await Promise.allSettled([encoder.embed(Array(50).fill("text")), encoder.tokenize("text")]);
  for (const result of late) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "timeout", status: 504, details: { limit: 20 } } });
  }
  expect(admission.admitted).toEqual({ texts: 0, tokens: 0 });
});

test("the wait for the model counts, and the load goes on", async () => {
  const fake = new FakeModel();
  const pool = createPool(fake, { size: 1 });
  const loading = pool.load();
  await expect(new DeadlineEncoder(pool, 0).load()).rejects.toMatchObject({ code: "timeout" });
  expect(await loading).toEqual(FakeModel.model);
  expect(fake.opened).toBe(1);
});

test("a caller's own signal rejects with its own reason", async () => {
  const fake = new FakeModel();
  fake.onRun = never;
  const controller = new AbortController();
  const call = new DeadlineEncoder(createPool(fake, { size: 1 }), 10_000).embed("text", { signal: controller.signal });
  const reason = new Error("no longer wanted");
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
});
