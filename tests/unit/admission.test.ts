import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { AdmissionEncoder, type AdmissionLimits } from "../../shared/encoder/admission.ts";
import { estimateTokens } from "../../shared/encoder/token-estimate.ts";
import type { Embeddings, EmbedOptions, EncoderInfo } from "../../shared/encoder/encoder.ts";
import { EncoderLayer } from "../../shared/encoder/layer.ts";
import { type Deferred, deferred } from "../../shared/async.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

afterEach(() => {
  vi.useRealTimers();
});

const nothing = { texts: 0, tokens: 0 };

testEncoderConformance("a pool behind admission", () => {
  const fake = new FakeModel();
  const encoder = new AdmissionEncoder(createPool(fake), { texts: 1_000, tokens: 100_000, wait: 60_000 });
  return { encoder, sessionsCreated: () => fake.opened, sessionsPerLoad: 2 };
});

/** Computes what the test tells it to, when the test tells it to: two workers of a loaded model. */
class HeldEncoder extends EncoderLayer {
  readonly calls: { readonly result: Deferred<Embeddings>; progress(texts: number): void }[] = [];

  override embed(_texts: readonly string[], { onProgress, signal }: EmbedOptions = {}): Promise<Embeddings> {
    const result = deferred<Embeddings>();
    signal?.addEventListener("abort", () => result.reject(signal.reason));
    this.calls.push({ result, progress: (texts) => onProgress?.({ texts, tokens: 0 }) });
    return result.promise;
  }

  override info(): EncoderInfo {
    return { state: "ready", model: FakeModel.model, device: "wasm", workers: { ready: 2, size: 2 }, error: null };
  }
}

const embeddings: Embeddings = { vectors: [], tokens: [], truncated: [], time: { queue: 0, inference: 0 } };

function createHeld(limits: Partial<AdmissionLimits> = {}) {
  const refusals: number[] = [];
  const below = new HeldEncoder(createPool(new FakeModel()));
  const observer = { onRefusal: ({ texts }: { texts: number }) => void refusals.push(texts) };
  const encoder = new AdmissionEncoder(below, { texts: 100, tokens: 100_000, wait: 600_000, ...limits }, observer);
  /** A call that is left to itself. */
  const ask = (count: number, options: EmbedOptions = {}) => {
    const call = encoder.embed(Array(count).fill(tenTokens), options);
    call.catch(() => {});
    return call;
  };
  return { encoder, below, ask, refusals };
}

/** As many as it is estimated to have. */
const tenTokens = "x".repeat(24);

describe("the limits", () => {
  test("a request is admitted or refused as a whole", async () => {
    const { encoder, below, ask, refusals } = createHeld({ texts: 100 });
    void ask(50);
    await expect(ask(41)).rejects.toMatchObject({ code: "overloaded", status: 429, details: { limit: 100, found: 50 } });
    expect(encoder.admitted).toEqual({ texts: 50, tokens: 500 });
    void ask(40);
    expect(encoder.admitted).toEqual({ texts: 90, tokens: 900 });
    expect(below.calls).toHaveLength(2);
    expect(refusals).toEqual([41]);
  });

  test("the last tenth is kept for interactive requests", async () => {
    const { encoder, ask } = createHeld({ texts: 100 });
    void ask(90);
    await expect(ask(5)).rejects.toMatchObject({ code: "overloaded" });
    for (let i = 0; i < 10; i++) void ask(1);
    expect(encoder.admitted.texts).toBe(100);
    await expect(ask(1)).rejects.toMatchObject({ code: "overloaded" });
  });

  test("an empty queue takes a request of any size", async () => {
    const { encoder, ask } = createHeld({ texts: 10, tokens: 10 });
    void ask(1_000);
    expect(encoder.admitted.texts).toBe(1_000);
  });

  test("tokens are bounded too, and by what can be computed in the time there is", async () => {
    const { encoder, ask } = createHeld({ texts: 10_000, tokens: 1_000 });
    void ask(80);
    await expect(ask(20)).rejects.toMatchObject({ code: "overloaded", details: { limit: 1_000, found: 800 } });

    const hurried = createHeld({ texts: 10_000, wait: 100 });
    void hurried.ask(1);
    // Until a rate is measured, two workers are taken to compute 400 tokens in 100 ms.
    await expect(hurried.ask(40)).rejects.toMatchObject({ code: "overloaded", details: { limit: 400, found: 10 } });
    expect(encoder.admitted.tokens).toBe(800);
  });

  test("a text counts with what the model reads of it", () => {
    const { encoder } = createHeld();
    void encoder.embed("x".repeat(10_000)).catch(() => {});
    expect(encoder.admitted).toEqual({ texts: 1, tokens: FakeModel.model.maxTokens });
  });
});

test("tells when to try again, by the rate at which the queue moves", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const { below, ask } = createHeld({ texts: 10_000, tokens: 1_000 });
  void ask(100);
  vi.advanceTimersByTime(2_000);
  below.calls[0]?.progress(20);
  // 100 tokens/s; 800 are left; bulk requests may fill 900: with 400 more, 300 must go first.
  await expect(ask(40)).rejects.toMatchObject({ details: { retryAfter: 3 } });
  await expect(ask(11)).rejects.toMatchObject({ details: { retryAfter: 1 } });
  // More than will ever fit has to wait for all of them.
  await expect(ask(1_000)).rejects.toMatchObject({ details: { retryAfter: 8 } });
});

describe("places are freed", () => {
  test("as texts are computed", () => {
    const { encoder, below, ask } = createHeld();
    void ask(50);
    below.calls[0]?.progress(20);
    expect(encoder.admitted).toEqual({ texts: 30, tokens: 300 });
    below.calls[0]?.progress(50);
    expect(encoder.admitted).toEqual(nothing);
  });

  test("when the call succeeds, fails or is given up", async () => {
    const { encoder, below, ask } = createHeld();
    const controller = new AbortController();
    const calls = [ask(10), ask(10), ask(10, { signal: controller.signal })];
    below.calls[0]?.progress(3);
    below.calls[0]?.result.resolve(embeddings);
    below.calls[1]?.result.reject(new Error("it failed"));
    controller.abort();
    await Promise.allSettled(calls);
    expect(encoder.admitted).toEqual(nothing);
  });

  test("whatever happens to requests over a real pool", async () => {
    const fake = new FakeModel();
    fake.onRun = async ([text]) => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (text === "poison") throw new Error("it always fails");
    };
    const pool = createPool(fake);
    const limits = { texts: 12, tokens: 200, wait: 60_000 };
    const encoder = new AdmissionEncoder(pool, limits);
    const request = fc.record({
      texts: fc.array(fc.constantFrom("a", "bc", "a longer text of many tokens", "poison"), { maxLength: 8 }),
      call: fc.constantFrom("embed", "tokenize"),
      abortAfter: fc.option(fc.integer({ min: 0, max: 3 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 8 }), async (requests) => {
        const calls = requests.map(({ texts, call, abortAfter }) => {
          const controller = new AbortController();
          if (abortAfter !== null) setTimeout(() => controller.abort(), abortAfter);
          const result = encoder[call](texts, { signal: controller.signal });
          expect(encoder.admitted.texts).toBeLessThanOrEqual(limits.texts);
          return result;
        });
        const results = await Promise.allSettled(calls);
        expect(encoder.admitted).toEqual(nothing);
        for (const result of results) {
          if (result.status === "fulfilled" || result.reason instanceof DOMException) continue;
          expect(["overloaded", "inference_failed"]).toContain(result.reason.code);
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("estimates tokens by the bytes of a text", () => {
  expect(estimateTokens("")).toBe(2);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(estimateTokens(text)).toBe(Math.ceil(new TextEncoder().encode(text).length / 3) + 2);
    }),
  );
});
