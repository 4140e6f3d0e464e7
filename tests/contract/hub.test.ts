import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { openHubModel } from "../../api/node/hub-model.ts";
import { createEncoder } from "../../dist/api/node/encoder.js";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { cutTokens } from "../../shared/encoder/tokenizer.ts";
import { cosineSimilarity, decodeVector } from "../../shared/vector.ts";
import { testEncoderConformance } from "../encoder-conformance.ts";
import { commits, HubServer } from "./hub-server.ts";

/** A random BERT of two layers, 32 wide, whose vectors are known: see models/build. */
const tinyBert = fileURLToPath(new URL("../fixtures/tiny-bert", import.meta.url));
const expectedSchema = z.object({
  rows: z
    .array(z.object({ inputType: z.enum(["passage", "query"]), text: z.string(), token_ids: z.array(z.number()), vector: z.base64() }))
    .min(1),
});
const { rows } = expectedSchema.parse(JSON.parse(await readFile(join(tinyBert, "expected.json"), "utf8")));

/** Each is fetched once; the last is where weights beside the graph would lie. */
const expectedFiles = [
  "modules.json",
  "1_Pooling/config.json",
  "config_sentence_transformers.json",
  "sentence_bert_config.json",
  "config.json",
  "tokenizer_config.json",
  "tokenizer.json",
  "onnx/model.onnx",
  "onnx/model.onnx_data",
];

let hub: HubServer;
let cacheDirectory: string;
const encoders: Encoder[] = [];

beforeEach(async () => {
  hub = await HubServer.start("tiny/bert", tinyBert);
  cacheDirectory = await mkdtemp(join(tmpdir(), "samevec-hub-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(encoders.splice(0).map((encoder) => encoder.dispose()));
  await hub.close();
  await rm(cacheDirectory, { recursive: true });
});

const options = () => ({ endpoint: hub.endpoint, cacheDirectory });
const kept = (encoder: Encoder): Encoder => {
  encoders.push(encoder);
  return encoder;
};
/** In this thread. */
const openHere = (id = "tiny/bert", more: { stallTimeout?: number; maxBytes?: number } = {}) =>
  kept(createSessionEncoder(openHubModel(id, { ...options(), ...more })));
/** In two worker processes. */
const openInWorkers = (id = "tiny/bert") => kept(createEncoder({ model: { hub: id, ...options() }, workers: 2 }));

async function expectKnownVectors(encoder: Encoder): Promise<void> {
  for (const { inputType, text, token_ids, vector } of rows) {
    const { vectors, tokens } = await encoder.embed(text, { inputType });
    const found = vectors[0] ?? expect.fail("no vector");
    const known = decodeVector(vector);
    expect(tokens).toEqual([token_ids.length]);
    expect(cosineSimilarity(found, known)).toBeGreaterThan(0.99999);
    expect(Math.max(...found.map((component, i) => Math.abs(component - (known[i] ?? Number.NaN))))).toBeLessThanOrEqual(1e-5);
  }
}

/** [tokens, 32], from the graph itself. */
async function lastHiddenState(ids: readonly number[]): Promise<Float32Array> {
  const graph = await InferenceSession.create(join(tinyBert, "onnx/model.onnx"));
  const tensor = (values: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, ids.length]);
  const inputs = { input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)), token_type_ids: tensor(ids.map(() => 0)) };
  const feeds = Object.entries(inputs).filter(([name]) => graph.inputNames.includes(name));
  const states = (await graph.run(Object.fromEntries(feeds))).last_hidden_state?.data;
  await graph.release();
  return states instanceof Float32Array ? states : expect.fail("no float32 last_hidden_state");
}

testEncoderConformance("a session encoder over a model of the hub", async () => {
  const create = vi.spyOn(InferenceSession, "create");
  await hub.serveJson("config_sentence_transformers.json", () => ({ prompts: { query: "query: " } }));
  return { encoder: openHere(), sessionsCreated: () => create.mock.calls.length, sessionsPerLoad: 1 };
});

describe("hub models in Node", () => {
  test("a hub model's tokenizer gives the expected token ids", async () => {
    const { model, tokenizer, session } = await openHubModel("tiny/bert", options())();
    await session.dispose();
    for (const { inputType, text, token_ids } of rows) {
      expect(cutTokens(tokenizer.encode(model.prompts[inputType] + text), model.maxTokens)).toEqual(token_ids);
    }
  });

  test("a hub model gives the expected vectors in this thread and in worker processes", async () => {
    await expectKnownVectors(openHere());
    await expectKnownVectors(openInWorkers());
  });

  test("createEncoder accepts a hub model as a string, with a hub URL beside it", async () => {
    const encoder = kept(createEncoder({ model: "tiny/bert@v2", hubUrl: `${hub.endpoint}/`, workers: 1 }));
    vi.stubEnv("HOME", cacheDirectory);
    await expectKnownVectors(encoder);
    vi.unstubAllEnvs();
    expect(encoder.info().model?.id).toBe("tiny/bert@v2");
    expect(hub.requests).toContain(`/tiny/bert/resolve/${commits.v2}/onnx/model.onnx`);
  });

  test("a hub model takes its pooling, prompts, dimensions and token limit from its repository", async () => {
    const read = async (name: string) => JSON.parse(await readFile(join(tinyBert, name), "utf8"));
    const { prompts } = await read("config_sentence_transformers.json");
    expect(await openHere().load()).toMatchObject({
      id: "tiny/bert",
      dimensions: 32,
      pooling: "mean",
      prompts: { query: prompts.query, passage: prompts.document ?? prompts.passage },
      maxTokens: (await read("sentence_bert_config.json")).max_seq_length,
    });
  });

  test("a hub model prefixes queries and passages with the prompts of its repository", async () => {
    await hub.serveJson("config_sentence_transformers.json", () => ({ prompts: { query: "ask: ", passage: "tell: ", other: "x" } }));
    const encoder = openHere();
    const { prompts } = await encoder.load();
    expect(prompts).toEqual({ query: "ask: ", passage: "tell: " });
    const [query, passage] = await Promise.all([encoder.embed("hello", { inputType: "query" }), encoder.embed("hello")]);
    expect(query.vectors[0]).not.toEqual(passage.vectors[0]);
  });

  test("a hub model pools the first token when its repository specifies cls pooling", async () => {
    await hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 32, pooling_mode: "cls" }));
    const { model, tokenizer, session } = await openHubModel("tiny/bert", options())();
    expect(model.pooling).toBe("cls");
    const ids = tokenizer.encode("hello world");
    const [vector] = await session.run([ids]);
    await session.dispose();
    expect(vector).toEqual((await lastHiddenState(ids)).slice(0, 32));
  });

  test("a hub model takes the token limit of the model and tokenizer when sentence-transformers specifies none", async () => {
    hub.served.set("sentence_bert_config.json", "missing");
    await hub.serveJson("tokenizer_config.json", (config: object) => ({ ...config, model_max_length: 1e30 }));
    await hub.serveJson("config.json", (config: object) => ({ ...config, max_position_embeddings: 48 }));
    expect(await openHere().load()).toMatchObject({ maxTokens: 48 });
  });

  test("a hub model logs nothing about a text whose run fails", async () => {
    const { session } = await openHubModel("tiny/bert", options())();
    const log = (["log", "info", "warn", "error"] as const).map((level) => vi.spyOn(console, level));
    await expect(session.run([[101, 1_000_000, 102]])).rejects.toThrow();
    for (const spy of log) expect(spy).not.toHaveBeenCalled();
    await session.dispose();
  });

  test("a hub model is downloaded once for all workers, and no other files are requested", async () => {
    const encoder = openInWorkers();
    await Promise.all(Array.from({ length: 10 }, () => encoder.embed("hello")));
    await expect.poll(() => encoder.info().workers.ready).toBe(2);
    expect(hub.files).toEqual(expectedFiles);
  });

  test("a cached hub model loads without the hub", async () => {
    const { fingerprint } = await openInWorkers().load();
    await hub.close();
    expect((await openInWorkers().load()).fingerprint).toBe(fingerprint);
    expect((await openHere().load()).fingerprint).toBe(fingerprint);
  });

  test("a hub model's altered cache file is downloaded again", async () => {
    await openHere().load();
    await writeFile(join(cacheDirectory, "tiny/bert/main/onnx/model.onnx"), "no graph");
    await expectKnownVectors(openHere());
  });

  test("a hub model is loaded at a revision given as org/name@revision", async () => {
    const encoder = openHere("tiny/bert@v2");
    expect((await encoder.load()).id).toBe("tiny/bert@v2");
    expect(hub.requests).toContain(`/tiny/bert/resolve/${commits.v2}/onnx/model.onnx`);
  });

  test("a hub model's files all come from one commit, even if its branch moves meanwhile", async () => {
    await openHere().load();
    const [first, ...others] = hub.requests;
    expect(first).toBe("/tiny/bert/resolve/main/modules.json");
    for (const path of others) expect(path).toContain(`/resolve/${commits.main}/`);
    const snapshot = JSON.parse(await readFile(join(cacheDirectory, "tiny/bert/main/snapshot.json"), "utf8"));
    expect(snapshot.commit).toBe(commits.main);
  });

  test("a hub model's altered cache file is downloaded again from the same commit", async () => {
    await openHere().load();
    hub.main = "3".repeat(40);
    hub.requests.length = 0;
    await writeFile(join(cacheDirectory, "tiny/bert/main/tokenizer.json"), "{}");
    await expectKnownVectors(openHere());
    expect(hub.requests.length).toBeGreaterThan(0);
    for (const path of hub.requests) expect(path).toContain(`/resolve/${commits.main}/`);
  });

  test("a hub model's fingerprint changes with everything that affects its vectors", async () => {
    const changes: readonly (() => void | Promise<void>)[] = [
      () => {},
      () => void hub.served.set("onnx/model.onnx_data", Buffer.from("weights beside the graph")),
      () => hub.serveJson("tokenizer_config.json", (config: object) => ({ ...config, note: "changed" })),
      () => hub.serveJson("config_sentence_transformers.json", (config: object) => ({ ...config, prompts: { query: "changed" } })),
      () => hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 32, pooling_mode: ["cls"] })),
      () => hub.serveJson("sentence_bert_config.json", () => ({ max_seq_length: 9 })),
    ];
    const fingerprints = new Set<string>();
    for (const [i, change] of changes.entries()) {
      hub.served.clear();
      await change();
      const open = openHubModel("tiny/bert", { ...options(), cacheDirectory: join(cacheDirectory, `${i}`) });
      fingerprints.add((await kept(createSessionEncoder(open)).load()).fingerprint);
    }
    expect(fingerprints.size).toBe(changes.length);
  });
});

describe("hub model load errors", () => {
  const refusals: readonly { what: string; spoil: () => void | Promise<void>; message: RegExp }[] = [
    {
      what: "no modules.json",
      spoil: () => void hub.served.set("modules.json", "missing"),
      message: /no modules\.json, which defines its pooling/,
    },
    {
      what: "no pooling",
      spoil: () => void hub.served.set("1_Pooling/config.json", "missing"),
      message: /no 1_Pooling\/config\.json, which defines its pooling/,
    },
    {
      what: "no prompts file",
      spoil: () => void hub.served.set("config_sentence_transformers.json", "missing"),
      message: /no config_sentence_transformers\.json, which defines its prompts/,
    },
    {
      what: "max pooling",
      spoil: () => hub.serveJson("1_Pooling/config.json", () => ({ word_embedding_dimension: 32, pooling_mode_max_tokens: true })),
      message: /1_Pooling\/config\.json requests the pooling pooling_mode_max_tokens; supported are cls and mean/,
    },
    {
      what: "two poolings at once",
      spoil: () => hub.serveJson("1_Pooling/config.json", (config: object) => ({ ...config, pooling_mode_cls_token: true })),
      message: /pooling_mode_cls_token and pooling_mode_mean_tokens|pooling_mode_mean_tokens and pooling_mode_cls_token/,
    },
    {
      what: "no pooling mode",
      spoil: () => hub.serveJson("1_Pooling/config.json", () => ({ word_embedding_dimension: 32 })),
      message: /of no mode/,
    },
    {
      what: "prompts left out of the pooling",
      spoil: () => hub.serveJson("1_Pooling/config.json", (config: object) => ({ ...config, include_prompt: false })),
      message: /include_prompt is false/,
    },
    {
      what: "a Dense module",
      spoil: () =>
        hub.serveJson("modules.json", (modules: object[]) => [...modules, { path: "3_Dense", type: "sentence_transformers.models.Dense" }]),
      message: /modules\.json lists .*sentence_transformers\.models\.Dense/,
    },
    {
      what: "a module of its own",
      spoil: () => hub.serveJson("modules.json", ([, ...rest]: object[]) => [{ path: "", type: "custom_st.Transformer" }, ...rest]),
      message: /modules\.json lists custom_st\.Transformer/,
    },
    {
      what: "a folder outside the repository",
      spoil: () =>
        hub.serveJson("modules.json", ([first]: object[]) => [first, { path: "../other", type: "sentence_transformers.models.Pooling" }]),
      message: /puts the Pooling at "\.\.\/other"/,
    },
    {
      what: "a file that is not JSON",
      spoil: () => void hub.served.set("modules.json", Buffer.from("<html>")),
      message: /modules\.json of the model tiny\/bert is not JSON/,
    },
    {
      what: "prompts that are no texts",
      spoil: () => hub.serveJson("config_sentence_transformers.json", () => ({ prompts: { query: 1 } })),
      message: /config_sentence_transformers\.json is not as expected/,
    },
    {
      what: "a default prompt that is none",
      spoil: () => hub.serveJson("config_sentence_transformers.json", () => ({ prompts: {}, default_prompt_name: "query" })),
      message: /default_prompt_name .*"query", is not one of its prompts/,
    },
    {
      what: "lower case before the tokenizer",
      spoil: () => hub.serveJson("sentence_bert_config.json", (config: object) => ({ ...config, do_lower_case: true })),
      message: /do_lower_case/,
    },
    {
      what: "other dimensions than its graph's",
      spoil: () => hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 31, pooling_mode: "mean" })),
      message: /31 dimensions/,
    },
    { what: "no ONNX graph", spoil: () => void hub.served.set("onnx/model.onnx", "missing"), message: /no onnx\/model\.onnx/ },
    { what: "a graph that is none", spoil: () => void hub.served.set("onnx/model.onnx", Buffer.from("no graph")), message: /./ },
  ];

  test.each(refusals)("a hub model is rejected with $what", async ({ spoil, message }) => {
    await spoil();
    const refused = expect(openHere().load()).rejects;
    await refused.toMatchObject({ code: "load_failed", message: expect.stringMatching(message) });
  });

  test("an unsupported hub model is rejected before its weights are downloaded", async () => {
    await hub.serveJson("1_Pooling/config.json", () => ({ embedding_dimension: 32, pooling_mode: "max" }));
    await expect(openInWorkers().load()).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("max") });
    expect(hub.files).toEqual(["modules.json", "1_Pooling/config.json"]);
  });

  test("a hub model that does not exist is rejected", async () => {
    const message = expect.stringMatching(/The model nobody\/nothing could not be downloaded from .*there is no such model/);
    await expect(openHere("nobody/nothing").load()).rejects.toMatchObject({ code: "load_failed", message });
    await expect(openInWorkers("nobody/nothing").load()).rejects.toMatchObject({ code: "load_failed", message });
    await expect(openHere("tiny/bert@v3").load()).rejects.toMatchObject({ message: expect.stringContaining("no such revision") });
  });

  test.each(["bert", "../etc/passwd", "a/b/c", "tiny/..", "tiny/bert@../x"])("an invalid hub model id is rejected: %s", async (id) => {
    await expect(openHere(id).load()).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("org/name") });
    expect(hub.requests).toEqual([]);
  });

  test.each(["here", "in workers"])("a hub model fails to load when the hub returns 503, and the next call retries (%s)", async (where) => {
    const encoder = where === "here" ? openHere() : openInWorkers();
    hub.served.set("tokenizer.json", 503);
    await expect(encoder.embed("hello")).rejects.toMatchObject({
      code: "load_failed",
      message: expect.stringContaining("status 503 for tokenizer.json"),
    });
    expect(encoder.info()).toMatchObject({ state: "failed", error: { code: "load_failed" } });
    hub.served.clear();
    await expectKnownVectors(encoder);
  });

  test.each(["cut", "stalled"] as const)("a hub download %s half-way leaves no partial file, and the next call retries", async (how) => {
    const encoder = openHere("tiny/bert", { stallTimeout: how === "stalled" ? 300 : 30_000 });
    hub.served.set("onnx/model.onnx", how);
    await expect(encoder.load()).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("onnx/model.onnx") });
    expect(await readdir(join(cacheDirectory, "tiny/bert/main/onnx"))).toEqual([]);
    hub.served.clear();
    await expectKnownVectors(encoder);
  });

  test("a hub model announced as larger than the limit is rejected before its weights are downloaded", async () => {
    const refused = expect(openHere("tiny/bert", { maxBytes: 20_000 }).load()).rejects;
    await refused.toMatchObject({ code: "file_too_large", details: { limit: 20_000 } });
    await expect(readdir(join(cacheDirectory, "tiny/bert/main/onnx"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a hub download that exceeds its limit is rejected and leaves no partial file", async () => {
    hub.served.set("tokenizer.json", "endless");
    await expect(openHere("tiny/bert", { maxBytes: 1_000_000 }).load()).rejects.toMatchObject({ code: "file_too_large" });
    expect(await readdir(join(cacheDirectory, "tiny/bert/main"))).not.toContainEqual(expect.stringContaining("tokenizer.json"));
  });

  test("a hub model fails to load when the hub is unreachable", async () => {
    await hub.close();
    await expect(openHere().load()).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("ECONNREFUSED") });
  });
});
