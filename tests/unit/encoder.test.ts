import { describe, expect, test } from "vitest";
import type { OpenModel, SelfTest } from "../../shared/encoder/model-runner.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { FakeModel } from "./fake-model.ts";

testEncoderConformance("a session encoder", () => {
  const fake = new FakeModel();
  return { encoder: createSessionEncoder(fake.open), sessionsCreated: () => fake.opened, sessionsPerLoad: 1 };
});

testEncoderConformance("a session encoder that batches", () => {
  const fake = new FakeModel({ texts: 4, tokens: 64 });
  return { encoder: createSessionEncoder(fake.open), sessionsCreated: () => fake.opened, sessionsPerLoad: 1 };
});

describe("loading", () => {
  test("a failed load rejects all waiting calls, and the next call loads again", async () => {
    const fake = new FakeModel();
    fake.loadFailures.push(new Error("the disk is gone"));
    const encoder = createSessionEncoder(fake.open);
    const waiting = await Promise.allSettled([encoder.load(), encoder.embed("a"), encoder.tokenize("b")]);
    for (const result of waiting) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { code: "load_failed", message: expect.stringContaining("the disk is gone") },
      });
    }
    expect(encoder.info()).toMatchObject({ state: "failed", error: { code: "load_failed" } });
    expect((await encoder.embed("a")).vectors).toHaveLength(1);
    expect(encoder.info().state).toBe("ready");
    expect(fake.opened).toBe(2);
  });

  test("aborting a call during the load does not affect other calls", async () => {
    const fake = new FakeModel();
    const encoder = createSessionEncoder(fake.open);
    const controller = new AbortController();
    const gone = encoder.embed("gone", { signal: controller.signal });
    const stays = encoder.embed("stays");
    controller.abort();
    await expect(gone).rejects.toBe(controller.signal.reason);
    expect((await stays).vectors).toHaveLength(1);
    expect(fake.opened).toBe(1);
  });
});

describe("running", () => {
  test("the encoder never has two runs in flight", async () => {
    const fake = new FakeModel();
    const encoder = createSessionEncoder(fake.open);
    await Promise.all(Array.from({ length: 20 }, (_, i) => encoder.embed([`a${i}`, `b${i}`])));
    expect(fake.mostInFlight).toBe(1);
    expect(fake.ran).toHaveLength(40);
  });

  test("the encoder rejects a call with more than maxCallTokens before any run", async () => {
    const fake = new FakeModel();
    const { tokens } = await createSessionEncoder(fake.open).embed(["a", "b", "c"]);
    const limit = tokens.reduce((sum, count) => sum + count, 0);
    const ran = fake.ran.length;
    const encoder = createSessionEncoder(fake.open, { maxCallTokens: limit });
    await expect(encoder.embed(["a", "b", "c", "d"])).rejects.toMatchObject({ code: "too_many_tokens", details: { limit } });
    expect(fake.ran).toHaveLength(ran);
    expect((await encoder.embed(["a", "b", "c"])).vectors).toHaveLength(3);
  });

  test("a failed run does not affect later runs", async () => {
    const fake = new FakeModel();
    fake.onRun = ([text]) => {
      if (text === "bad") throw new Error("out of luck");
    };
    const encoder = createSessionEncoder(fake.open);
    const [bad, good] = await Promise.allSettled([encoder.embed("bad"), encoder.embed("good")]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "inference_failed" } });
    expect(good.status).toBe("fulfilled");
  });

  test("the encoder rejects a vector that is not finite", async () => {
    const fake = new FakeModel();
    const open: OpenModel = async () => {
      const opened = await fake.open();
      return { ...opened, session: { ...opened.session, run: async () => [new Float32Array(8).fill(Number.NaN)] } };
    };
    await expect(createSessionEncoder(open).embed("text")).rejects.toMatchObject({ code: "inference_failed" });
  });

  test("the encoder lets other tasks run between texts", async () => {
    const fake = new FakeModel();
    fake.onRun = () => {};
    const encoder = createSessionEncoder(fake.open);
    await encoder.load();
    let turns = 0;
    const ticking = setInterval(() => turns++, 0);
    await encoder.embed(Array(50).fill("text"));
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(10);
  });
});

describe("the self-test", () => {
  type Run = Awaited<ReturnType<OpenModel>>["session"]["run"];

  const known = async (text: string) =>
    (await createSessionEncoder(new FakeModel().open).embed(text)).vectors[0] ?? expect.fail("no vector");

  /** A model that is opened in one way after the other: each with the model's own `run`, or with another. */
  async function createWithWays(ways: readonly (Run | "right")[], minCosine: SelfTest["minCosine"]) {
    const fake = new FakeModel();
    const opened: number[] = [];
    const vector = await known("probe");
    const way =
      (index: number): OpenModel =>
      async () => {
        opened.push(index);
        const { session, ...model } = await fake.open();
        const run = ways[index] ?? expect.fail("no such way");
        return {
          ...model,
          session: run === "right" ? session : { ...session, run },
          selfTest: { minCosine, rows: [{ inputType: "passage", text: "probe", vector }] },
          otherwise: index + 1 < ways.length ? way(index + 1) : null,
        };
      };
    return { encoder: createSessionEncoder(way(0)), fake, opened };
  }

  const wrong: Run = async () => [new Float32Array(8).fill(1)];
  const notFinite: Run = async () => [new Float32Array(8).fill(Number.NaN)];
  const failing: Run = async () => {
    throw new Error("out of luck");
  };

  /** Right to a cosine of 1 - 1e-9, but not to the bit. */
  const nearlyRight: Run = async () => {
    const vector = (await known("probe")).slice();
    vector[0] = (vector[0] ?? 0) + 1e-5;
    return [vector];
  };

  test.each([
    ["returns wrong vectors", wrong],
    ["gives vectors that are not finite", notFinite],
    ["fails", failing],
    ["gives no vector", async () => []],
  ] satisfies [string, Run][])("the self-test frees a session that %s and opens the model in the next way", async (_, run) => {
    const { encoder, fake, opened } = await createWithWays([run, "right", wrong], 0.999);
    expect((await encoder.embed("probe")).vectors[0]).toEqual(await known("probe"));
    expect(opened).toEqual([0, 1]);
    expect(fake.disposed).toBe(1);
    await encoder.dispose();
    expect(fake.disposed).toBe(2);
  });

  test.each([
    ["wrong", [wrong]],
    ["wrong in every way", [wrong, notFinite, wrong]],
    ["not finite", [notFinite]],
    ["missing", [failing]],
  ])("the self-test rejects a model whose vectors are %s and frees every session", async (_, ways) => {
    const { encoder, fake, opened } = await createWithWays(ways, 0.999);
    await expect(encoder.embed("text")).rejects.toMatchObject({ code: "self_test_failed" });
    expect(encoder.info()).toMatchObject({ state: "failed", error: { code: "self_test_failed" } });
    expect(opened).toEqual([...ways.keys()]);
    expect(fake.disposed).toBe(ways.length);
  });

  test("an exact self-test accepts only identical bits", async () => {
    const near = await createWithWays([nearlyRight], 0.999_999);
    expect((await near.encoder.load()).id).toBe("fake");

    const exact = await createWithWays([nearlyRight, "right"], "exact");
    expect((await exact.encoder.embed("probe")).vectors[0]).toEqual(await known("probe"));
    expect(exact.opened).toEqual([0, 1]);

    const hopeless = await createWithWays([nearlyRight, nearlyRight], "exact");
    await expect(hopeless.encoder.load()).rejects.toMatchObject({
      code: "self_test_failed",
      message: expect.stringContaining("bits differ"),
    });
    expect(hopeless.fake.disposed).toBe(2);
  });
});
