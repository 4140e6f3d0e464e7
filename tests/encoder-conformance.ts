import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Encoder } from "../shared/encoder/encoder.ts";
import { cosineSimilarity } from "../shared/vector.ts";
import { shortTexts } from "./golden.ts";

export interface EncoderUnderTest {
  readonly encoder: Encoder;
  /** Sessions created so far in the runtime beneath. */
  sessionsCreated(): number;
  /** Sessions that one load creates: one a worker. */
  readonly sessionsPerLoad: number;
}

/** What every encoder promises, whatever it runs on: each implementation runs this suite. */
export function testEncoderConformance(name: string, create: () => Promise<EncoderUnderTest> | EncoderUnderTest): void {
  describe(`${name} is an encoder`, () => {
    let subject: EncoderUnderTest;
    let encoder: Encoder;
    beforeEach(async () => {
      subject = await create();
      encoder = subject.encoder;
    });
    afterEach(() => encoder.dispose());

    const only = async (text: string, options?: Parameters<Encoder["embed"]>[1]) => {
      const { vectors } = await encoder.embed(text, options);
      return vectors[0] ?? expect.fail("no vector");
    };

    test("gives one vector for a text and vectors in input order for a list", async () => {
      const texts = ["first", "a second", "the third one"];
      const { vectors, tokens, truncated } = await encoder.embed(texts);
      expect(vectors).toHaveLength(3);
      expect(tokens).toHaveLength(3);
      expect(truncated).toEqual([0, 0, 0]);
      for (const [i, text] of texts.entries()) expect(vectors[i]).toEqual(await only(text));
    });

    test("gives nothing for nothing", async () => {
      expect(await encoder.embed([])).toEqual({ vectors: [], tokens: [], truncated: [], time: { queue: 0, inference: 0 } });
    });

    test("normalizes unless told otherwise, and keeps the direction", async () => {
      const unit = await only("hello");
      const raw = await only("hello", { normalize: false });
      expect(Math.hypot(...unit)).toBeCloseTo(1, 5);
      expect(Math.hypot(...raw)).not.toBeCloseTo(1, 2);
      expect(cosineSimilarity(unit, raw)).toBeCloseTo(1, 6);
    });

    test("cuts to the dimensions asked for and normalizes what is left", async () => {
      const cut = await only("hello", { dimensions: 4 });
      const whole = await only("hello");
      expect(cut).toHaveLength(4);
      expect(Math.hypot(...cut)).toBeCloseTo(1, 5);
      expect(cosineSimilarity(cut, whole.slice(0, 4))).toBeCloseTo(1, 6);
    });

    test.each([0, -1, 1.5, 100_000, Number.NaN])("refuses %s dimensions", async (dimensions) => {
      await expect(encoder.embed("hello", { dimensions })).rejects.toMatchObject({ code: "invalid_dimensions" });
      await only("the next call is served");
    });

    test("gives a text the same vector alone, in any batch, in any order and under load", async () => {
      const texts = ["short", "a text of middling length", "x".repeat(40), "", "short"];
      const alone = [];
      for (const text of texts) alone.push(await only(text));
      const [batch, reversed, ...concurrent] = await Promise.all([
        encoder.embed(texts),
        encoder.embed([...texts].reverse()),
        ...texts.map((text) => encoder.embed(text)),
      ]);
      const same = (a: Float32Array | undefined, b: Float32Array | undefined) => {
        for (const [i, component] of (a ?? []).entries()) expect(Math.abs(component - (b?.[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-6);
      };
      for (const [i, vector] of alone.entries()) {
        same(vector, batch.vectors[i]);
        same(vector, reversed.vectors[texts.length - 1 - i]);
        same(vector, concurrent[i]?.vectors[0]);
      }
    });

    test("gives many short texts the vectors that they have alone, to the bit", async () => {
      const alone = [];
      for (const text of shortTexts) alone.push(await only(text, { inputType: "query" }));
      const { vectors } = await encoder.embed(shortTexts, { inputType: "query" });
      expect(vectors).toEqual(alone);
    });

    test("puts the query's prompt before a query", async () => {
      const { prompts } = await encoder.load();
      const query = await only("why", { inputType: "query" });
      expect(query).toEqual(await only(`${prompts.query}why`));
      expect(query).not.toEqual(await only("why"));
    });

    test("cuts an over-long text at the model's limit and says by how much", async () => {
      const { maxTokens } = await encoder.load();
      const long = "word ".repeat(maxTokens);
      const length = (await encoder.tokenize(long))[0]?.length ?? 0;
      expect(length).toBeGreaterThan(maxTokens);
      const { vectors, tokens, truncated } = await encoder.embed(["short", long]);
      expect(tokens[1]).toBe(maxTokens);
      expect(truncated).toEqual([0, length - maxTokens]);
      expect(vectors[1]).toEqual(await only(`${long}and more that nobody reads`));
    });

    test("refuses an over-long text when told not to cut, naming limit, length and text", async () => {
      const { maxTokens } = await encoder.load();
      const long = "word ".repeat(maxTokens);
      const length = (await encoder.tokenize(long))[0]?.length;
      const refused = encoder.embed(["short", "short too", long], { truncate: false });
      await expect(refused).rejects.toMatchObject({ code: "text_too_long", details: { index: 2, limit: maxTokens, found: length } });
      await only("the next call is served");
    });

    test.each([
      ["empty", ""],
      ["blank", " \n\t "],
      ["holding U+0000", "a\0b"],
      ["of characters beyond the BMP", "👩‍🚀 𝔘"],
    ])("embeds a text that is %s", async (_, text) => {
      expect(Math.hypot(...(await only(text)))).toBeCloseTo(1, 5);
    });

    test("refuses a lone surrogate, naming the text", async () => {
      await expect(encoder.embed(["fine", "half \ud83d"])).rejects.toMatchObject({ code: "lone_surrogate", details: { index: 1 } });
      await only("the next call is served");
    });

    test("creates one session a worker for fifty concurrent first calls", async () => {
      const before = subject.sessionsCreated();
      const calls = Array.from({ length: 50 }, (_, i) => encoder.embed(`text ${i % 5}`));
      const results = await Promise.all(calls);
      expect(results.every(({ vectors }) => vectors.length === 1)).toBe(true);
      await expect.poll(() => subject.sessionsCreated() - before, { timeout: 20_000 }).toBe(subject.sessionsPerLoad);
    });

    test("rejects an aborted call with the signal's reason and serves the others", async () => {
      const controller = new AbortController();
      const aborted = encoder.embed(Array(20).fill("to be dropped"), { signal: controller.signal });
      const other = encoder.embed("kept");
      const reason = new Error("no longer wanted");
      controller.abort(reason);
      await expect(aborted).rejects.toBe(reason);
      await expect(encoder.embed("never started", { signal: controller.signal })).rejects.toBe(reason);
      await expect(encoder.load({ signal: controller.signal })).rejects.toBe(reason);
      expect((await other).vectors).toHaveLength(1);
    });

    test("tells texts and tokens done as it goes", async () => {
      const told: { texts: number; tokens: number }[] = [];
      const { tokens } = await encoder.embed(["one", "two", "three"], { onProgress: (done) => told.push(done) });
      expect(told.length).toBeGreaterThan(0);
      expect(told.at(-1)).toEqual({ texts: 3, tokens: tokens.reduce((a, b) => a + b) });
      expect(told.map(({ texts }) => texts)).toEqual(told.map(({ texts }) => texts).toSorted((a, b) => a - b));
    });

    test("tells how long its texts waited and how long they were computed, within what the call took", async () => {
      await encoder.load();
      const start = performance.now();
      const { time } = await encoder.embed(["one", "two", "three"]);
      const took = performance.now() - start;
      expect(time.queue).toBeGreaterThan(0);
      expect(time.inference).toBeGreaterThan(0);
      expect(time.queue + time.inference).toBeLessThanOrEqual(took);
    });

    test("tells its state at once, and its model once it is loaded", async () => {
      expect(encoder.info()).toMatchObject({ state: "idle", device: null });
      const loading = encoder.load();
      expect(encoder.info().state).toBe("loading");
      const model = await loading;
      expect(encoder.info()).toMatchObject({ state: "ready", model, error: null });
    });

    test("frees the model on dispose, tells those who wait, and loads it again on the next call", async () => {
      const before = await only("hello");
      const waiting = encoder.embed(Array.from({ length: 20 }, (_, i) => `text ${i}`));
      const told = expect(waiting).rejects.toMatchObject({ code: "disposed" });
      await encoder.dispose();
      await told;
      expect(encoder.info().state).toBe("idle");
      expect(await only("hello")).toEqual(before);
    });
  });
}
