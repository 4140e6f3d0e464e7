import { describe, expect, test } from "vitest";
import { createSessionEncoder, type OpenModel } from "../../shared/encoder/encoder.ts";
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
  test("a load that fails rejects all that waited, and the next call tries again", async () => {
    const fake = new FakeModel();
    fake.loadFailures.push(new Error("the disk is gone"));
    const encoder = createSessionEncoder(fake.open);
    const waiting = await Promise.allSettled([encoder.load(), encoder.embed("a"), encoder.countTokens("b")]);
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

  test("a caller that goes away during the load harms nobody", async () => {
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
  test("never has two runs in flight", async () => {
    const fake = new FakeModel();
    const encoder = createSessionEncoder(fake.open);
    await Promise.all(Array.from({ length: 20 }, (_, i) => encoder.embed([`a${i}`, `b${i}`])));
    expect(fake.mostInFlight).toBe(1);
    expect(fake.ran).toHaveLength(40);
  });

  test("a call with more tokens than a call may have is refused before anything runs", async () => {
    const fake = new FakeModel();
    const { tokens } = await createSessionEncoder(fake.open).embed(["a", "b", "c"]);
    const limit = tokens.reduce((sum, count) => sum + count, 0);
    const ran = fake.ran.length;
    const encoder = createSessionEncoder(fake.open, { maxCallTokens: limit });
    await expect(encoder.embed(["a", "b", "c", "d"])).rejects.toMatchObject({ code: "too_many_tokens", details: { limit } });
    expect(fake.ran).toHaveLength(ran);
    expect((await encoder.embed(["a", "b", "c"])).vectors).toHaveLength(3);
  });

  test("a rejected run does not break the ones behind it", async () => {
    const fake = new FakeModel();
    fake.onRun = ([text]) => {
      if (text === "bad") throw new Error("out of luck");
    };
    const encoder = createSessionEncoder(fake.open);
    const [bad, good] = await Promise.allSettled([encoder.embed("bad"), encoder.embed("good")]);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "inference_failed" } });
    expect(good.status).toBe("fulfilled");
  });

  test("refuses a vector that is not finite", async () => {
    const fake = new FakeModel();
    const open: OpenModel = async (options) => {
      const opened = await fake.open(options);
      return { ...opened, session: { ...opened.session, run: async () => [new Float32Array(8).fill(Number.NaN)] } };
    };
    await expect(createSessionEncoder(open).embed("text")).rejects.toMatchObject({ code: "inference_failed" });
  });

  test("lets others have their turn between texts", async () => {
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
  const known = async (fake: FakeModel, text: string) =>
    (await createSessionEncoder(fake.open).embed(text)).vectors[0] ?? new Float32Array();

  /** A model whose vectors miss until it is opened with exact products, if those help. */
  const missing = (fake: FakeModel, vector: Float32Array, exact: { mayHelp: boolean; help: boolean }) => {
    const opens: boolean[] = [];
    const open: OpenModel = async ({ exactProducts }) => {
      opens.push(exactProducts);
      const opened = await fake.open({ exactProducts });
      const right = exactProducts && exact.help;
      return {
        ...opened,
        session: right ? opened.session : { ...opened.session, run: async () => [new Float32Array(8).fill(1)] },
        selfTest: { minCosine: 0.999, rows: [{ kind: "passage", text: "probe", vector }] },
        exactProductsMayHelp: exact.mayHelp && !exactProducts,
      };
    };
    return { open, opens };
  };

  test("opens once more with exact products where the vectors miss, and serves when they are right", async () => {
    const fake = new FakeModel();
    const vector = await known(fake, "probe");
    const { open, opens } = missing(fake, vector, { mayHelp: true, help: true });
    const encoder = createSessionEncoder(open);
    expect((await encoder.embed("probe")).vectors[0]).toEqual(vector);
    expect(opens).toEqual([false, true]);
    expect(fake.disposed).toBe(1);
  });

  test.each([
    ["which exact products cannot cure", { mayHelp: false, help: false }, [false]],
    ["which exact products did not cure", { mayHelp: true, help: false }, [false, true]],
  ])("refuses to serve wrong vectors %s, and frees the session", async (_, exact, expected) => {
    const fake = new FakeModel();
    const vector = await known(fake, "probe");
    const { open, opens } = missing(fake, vector, exact);
    await expect(createSessionEncoder(open).embed("text")).rejects.toMatchObject({ code: "self_test_failed" });
    expect(opens).toEqual(expected);
    expect(fake.disposed).toBe(expected.length);
  });
});
