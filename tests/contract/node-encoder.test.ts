import { readFile } from "node:fs/promises";
import { InferenceSession } from "onnxruntime-node";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { type NodeModelOptions, openNodeModel } from "../../api/node/node-model.ts";
import { createEncoder } from "../../dist/api/node/encoder.js";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { fingerprintOf } from "../../shared/encoder/manifest.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { cosineSimilarity, decodeVector } from "../../shared/vector.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { goldenBounds, goldenRows } from "../golden.ts";
import { engineDirectory, ModelCopy, modelDirectory, readManifest } from "./model-copy.ts";
import { nativeSessionsPerLoad } from "./native-sessions.ts";
import { RuntimeLog } from "./runtime-log.ts";
import { workerProcesses } from "./worker-processes.ts";

const opening = (options?: Pick<NodeModelOptions, "device">, directory = modelDirectory) =>
  openNodeModel({ directory, engineDirectory, ...options });

testEncoderConformance("a session encoder over the bundled model in Node, native", () => {
  const create = vi.spyOn(InferenceSession, "create");
  return {
    encoder: createSessionEncoder(opening({ device: "native" })),
    sessionsCreated: () => create.mock.calls.length,
    sessionsPerLoad: nativeSessionsPerLoad,
  };
});

testEncoderConformance("a session encoder over the bundled model in Node, wasm", () => {
  const instantiate = vi.spyOn(WebAssembly, "instantiate");
  return {
    encoder: createSessionEncoder(opening({ device: "wasm" })),
    // The probes have memory for one layer.
    sessionsCreated: () => instantiate.mock.settledResults.filter(({ value }) => memoryOf(value) > 20e6).length,
    sessionsPerLoad: 1,
  };
});

function memoryOf(instance: unknown): number {
  if (!(instance instanceof WebAssembly.Instance)) return 0;
  const { memory } = instance.exports;
  return memory instanceof WebAssembly.Memory ? memory.buffer.byteLength : 0;
}

for (const device of ["native", "wasm"] as const) {
  testEncoderConformance(`a pool of two workers over the bundled model, ${device}`, () => {
    const log = new RuntimeLog();
    process.env.RUNTIME_LOG = log.file;
    const sessionsPerLoad = 2 * (device === "native" ? nativeSessionsPerLoad : 1);
    return { encoder: createEncoder({ workers: 2, device }), sessionsCreated: () => log.count("create"), sessionsPerLoad };
  });
}

const disposables: Encoder[] = [];
const kept = <E extends Encoder>(encoder: E): E => {
  disposables.push(encoder);
  return encoder;
};
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(disposables.splice(0).map((encoder) => encoder.dispose()));
});

describe.each(["native", "wasm"] as const)("the bundled model in Node, %s", (device) => {
  const encoder = createSessionEncoder(opening({ device }));
  afterAll(() => encoder.dispose());

  test("the bundled model has the fingerprint of its files", async () => {
    const manifest = await readManifest();
    expect(await fingerprintOf(manifest)).toBe(manifest.fingerprint);
    expect((await encoder.load()).fingerprint).toBe(manifest.fingerprint);
    expect(encoder.info().device).toBe(device);
  });

  test("the bundled model's tokenizer gives the golden token ids", async () => {
    const { model, tokenizer, session } = await opening({ device })();
    await session.dispose();
    for (const { inputType, text, tokenIds } of goldenRows) {
      const ids = tokenizer.encode(model.prompts[inputType] + text);
      expect(ids.length > model.maxTokens ? [...ids.slice(0, model.maxTokens - 1), ids.at(-1)] : ids).toEqual(tokenIds);
    }
  });

  test("the bundled model gives the golden vectors", async () => {
    const cosines = [];
    for (const { inputType, text, vector, tokenIds } of goldenRows) {
      const { vectors, tokens } = await encoder.embed(text, { inputType });
      expect(tokens).toEqual([tokenIds.length]);
      cosines.push(cosineSimilarity(vectors[0] ?? new Float32Array(), vector));
    }
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(goldenBounds.worst);
    expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThanOrEqual(goldenBounds.mean);
  });
});

test("the engine's golden vectors are close to the native ones", async () => {
  const [native, wasm] = (["native", "wasm"] as const).map((device) => kept(createSessionEncoder(opening({ device }))));
  const cosines = [];
  for (const { inputType, text } of goldenRows) {
    const [a, b] = await Promise.all([native?.embed(text, { inputType }), wasm?.embed(text, { inputType })]);
    cosines.push(cosineSimilarity(a?.vectors[0] ?? new Float32Array(), b?.vectors[0] ?? new Float32Array()));
  }
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.9975);
  expect(cosines.reduce((a, b) => a + b) / cosines.length).toBeGreaterThanOrEqual(0.999);
});

describe.each(["native", "wasm"] as const)("a tampered model (%s)", (device) => {
  test("the encoder rejects a model file that differs from the manifest", async () => {
    const copy = await ModelCopy.create();
    try {
      await copy.alter("weights-0.bin");
      const encoder = kept(createSessionEncoder(opening({ device }, copy.directory)));
      await expect(encoder.embed("hello")).rejects.toMatchObject({ code: "integrity_failed" });
    } finally {
      await copy.remove();
    }
  });

  test("the encoder rejects a model by its self-test when a file and its hash were altered together", async () => {
    const copy = await ModelCopy.create();
    try {
      await copy.alter("weights-0.bin");
      await copy.vouchFor("weights-0.bin");
      const encoder = kept(createEncoder({ model: { directory: copy.directory }, workers: 1, device }));
      await expect(encoder.embed("hello")).rejects.toMatchObject({ code: "self_test_failed" });
      expect(encoder.info()).toMatchObject({ state: "failed", error: { code: "self_test_failed" } });
    } finally {
      await copy.remove();
    }
  });
});

describe("processors that saturate int8 products", () => {
  // What an x86 processor with AVX2 and without VNNI really gives for the manifest's self-test texts.
  const readSaturated = async () => {
    const file = await readFile(new URL("../fixtures/saturated-vectors.json", import.meta.url), "utf8");
    const { rows } = JSON.parse(file) as { rows: { text: string; vector: string }[] };
    return rows.map(({ text, vector }) => ({ text, vector: decodeVector(vector) }));
  };

  test("the self-test detects saturated int8 products and reloads the model with exact products", async () => {
    const saturated = await readSaturated();
    const opens: string[] = [];
    const openHere = opening({ device: "native" });
    const open: OpenModel = async () => {
      opens.push("saturating");
      const opened = await openHere();
      // Such a processor's vectors in place of this one's, for the texts of the self-test.
      const known = saturated.map(({ text, vector }) => {
        const row = opened.selfTest?.rows.find((one) => one.text === text) ?? expect.fail(`${text} is not a self-test text`);
        return { ids: opened.tokenizer.encode(opened.model.prompts[row.inputType] + text).join(), vector };
      });
      const run: typeof opened.session.run = async ([ids]) => [
        Float32Array.from(known.find((one) => one.ids === ids?.join())?.vector ?? expect.fail("only the self-test may run here")),
      ];
      const otherwise: OpenModel = () => {
        opens.push("exact");
        return opened.otherwise?.() ?? expect.fail("there is no other way");
      };
      return { ...opened, session: { ...opened.session, run }, otherwise };
    };
    const encoder = kept(createSessionEncoder(open));
    const exact = await encoder.embed("hello");
    expect(opens).toEqual(["saturating", "exact"]);
    const rows = (await readManifest()).selfTest.texts;
    for (const { inputType, text, native } of rows) {
      if (!native) continue;
      const { vectors } = await encoder.embed(text, { inputType });
      expect(cosineSimilarity(vectors[0] ?? new Float32Array(), decodeVector(native))).toBeGreaterThan(0.99999);
    }
    expect(exact.vectors).toHaveLength(1);
  });

  test("the second opening of a native model sets ONNX Runtime's option against saturated int8 products", async () => {
    const create = vi.spyOn(InferenceSession, "create");
    const first = await opening({ device: "native" })();
    const second = await first.otherwise?.();
    expect(create.mock.calls.map(([, options]) => options)).toMatchObject(
      ["0", "1"].map((x64quantprecision) => ({ extra: { session: { x64quantprecision } } })),
    );
    expect(second?.otherwise).toBeNull();
    await Promise.all([first.session.dispose(), second?.session.dispose()]);
  });
});

describe.each(["native", "wasm"] as const)("workers (%s)", (device) => {
  test("workers run one text at a time each, run in parallel, and leave the calling process idle", async () => {
    const log = new RuntimeLog();
    process.env.RUNTIME_LOG = log.file;
    const encoder = kept(createEncoder({ workers: 2, device }));
    await encoder.load();
    // Else the first of them may have done all before the other one is there.
    await expect.poll(() => encoder.info().workers.ready, { timeout: 20_000 }).toBe(2);
    await Promise.all(Array.from({ length: 12 }, (_, i) => encoder.embed(`text ${i} ${"of some length ".repeat(12)}`)));
    const runsOf = log.runsByWorker();
    expect([...runsOf.keys()].includes(0)).toBe(false);
    const workers = [...runsOf.values()].filter((runs) => runs.length > 0);
    expect(workers).toHaveLength(2);
    for (const runs of workers) {
      for (const [i, run] of runs.entries()) expect(run.start).toBeGreaterThanOrEqual(runs[i - 1]?.end ?? 0);
    }
    const [first = [], second = []] = workers;
    const overlaps = first.some((a) => second.some((b) => a.start < b.end && b.start < a.end));
    expect(overlaps).toBe(true);
  });

  test("a killed worker is replaced, and no text is lost", async () => {
    const earlier = new Set(workerProcesses());
    const encoder = kept(createEncoder({ workers: 2, device }));
    const own = () => workerProcesses().filter((pid) => !earlier.has(pid));
    const texts = Array.from({ length: 30 }, (_, i) => `text ${i} ${"of some length ".repeat(20)}`);
    const before = await encoder.embed(texts);
    await expect.poll(() => encoder.info().workers.ready, { timeout: 20_000 }).toBe(2);
    const [victim = 0, other = 0] = own();
    let killed = false;
    const killOnce = () => {
      if (!killed) process.kill(victim, "SIGKILL");
      killed = true;
    };
    const during = await encoder.embed(texts, { onProgress: killOnce });
    expect(during.vectors).toEqual(before.vectors);
    await expect.poll(() => encoder.info().workers, { timeout: 20_000 }).toEqual({ ready: 2, size: 2 });
    expect(own()).toHaveLength(2);
    expect(own()).toContain(other);
    expect(own()).not.toContain(victim);
  });
});
