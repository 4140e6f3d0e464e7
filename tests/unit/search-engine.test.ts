import { beforeEach, describe, expect, test } from "vitest";
import type { Embeddings, EmbedOptions, Encoder, Model } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { type Document, type Library, packVectors, readLibrary } from "../../shared/search/library.ts";
import { weakRelevance } from "../../shared/search/relevance.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { FakeModel } from "./fake-model.ts";

/** Words that stand for the dimensions: a text's vector points to those that it has. */
const topics = ["tide", "bread", "cello", "radiator"];

function topicVector(text: string): Float32Array<ArrayBuffer> {
  const counts = topics.map((topic) => text.split(topic).length - 1);
  const norm = Math.hypot(...counts) || 1;
  return Float32Array.from(counts, (count) => count / norm);
}

/** An encoder by topics, which tells what it was asked. */
class TopicEncoder implements Encoder {
  model: Model = { ...FakeModel.model, dimensions: topics.length };
  readonly embedded: string[] = [];
  loads = 0;
  /** What the next load and the next calls wait for. */
  gate: Promise<void> = Promise.resolve();

  async load(): Promise<Model> {
    this.loads += 1;
    await this.gate;
    return this.model;
  }

  async embed(texts: string | readonly string[], { signal }: EmbedOptions = {}): Promise<Embeddings> {
    const list = [texts].flat();
    this.embedded.push(...list);
    await this.gate;
    signal?.throwIfAborted();
    const zeros = list.map(() => 0);
    return { vectors: list.map(topicVector), tokens: zeros, truncated: zeros, time: { queue: 0, inference: 0 } };
  }

  countTokens = async () => [];
  tokenize = async () => [];
  info = () => ({ state: "idle" as const, model: null, device: null, workers: { ready: 0, size: 1 }, error: null });
  dispose = async () => {};
}

const note = (id: string, text: string): Document => ({ id, title: `Note ${id}`, kind: "note", text });
const documents = [note("sea", "The tide."), note("food", "The bread."), note("music", "The cello."), note("rest", "The radiator.")];
const library: Library = {
  fingerprint: FakeModel.model.fingerprint,
  documents,
  examples: [{ query: "what the moon does", answer: "sea" }],
  passageVectors: documents.map(({ text }) => topicVector(text)),
  queryVectors: [topicVector("tide")],
};
const sentences = (count: number, sentence: string) => Array<string>(count).fill(sentence).join("\n\n");

let encoder: TopicEncoder;
let engine: SearchEngine;
beforeEach(() => {
  encoder = new TopicEncoder();
  engine = new SearchEngine(encoder, library);
});

describe("a search", () => {
  test("finds the passage that is nearest, and leaves out what is irrelevant", async () => {
    const { results, embedTime } = await engine.search("bread");
    expect(results.map(({ document, passage }) => [document.id, passage.text])).toEqual([["food", "The bread."]]);
    expect(results[0]?.relevance).toBeGreaterThan(weakRelevance);
    expect(results[0]?.cosine).toBeCloseTo(1);
    expect(embedTime).not.toBeNull();
  });

  test("for an example query needs no model", async () => {
    encoder.gate = new Promise(() => {});
    const { results, embedTime } = await engine.search("what the moon does");
    expect(results.map(({ document }) => document.id)).toEqual(["sea"]);
    expect(embedTime).toBeNull();
    expect(encoder.loads).toBe(0);
  });

  test("that is given up while the model loads rejects with the reason and embeds nothing", async () => {
    encoder.gate = new Promise(() => {});
    const controller = new AbortController();
    const search = engine.search("bread", { signal: controller.signal });
    controller.abort(new Error("another query came"));
    await expect(search).rejects.toThrow("another query came");
    expect(encoder.embedded).toEqual([]);
  });

  test("after a failed load tries again", async () => {
    encoder.gate = Promise.reject(new EncoderError("load_failed", "no network"));
    await expect(engine.search("bread")).rejects.toThrow("no network");
    encoder.gate = Promise.resolve();
    expect((await engine.search("bread")).results).toHaveLength(1);
    expect(encoder.loads).toBe(2);
  });
});

describe("a document that is added", () => {
  test("is found with its passage's offsets, and no more once it was removed", async () => {
    const text = `Nothing of interest here.\n\n${sentences(80, "It is quiet in the house today.")}\n\nThen a cello began.`;
    await engine.add(note("added", text));
    const { results } = await engine.search("cello");
    const added = results.find(({ document }) => document.id === "added");
    expect(added?.passage.text).toContain("Then a cello began.");
    expect(text.slice(added?.passage.start, added?.passage.end)).toBe(added?.passage.text);
    expect(engine.document("added")?.text).toBe(text);

    engine.remove("added");
    expect((await engine.search("cello")).results.map(({ document }) => document.id)).toEqual(["music"]);
    expect(engine.size).toBe(documents.length);
    expect(engine.document("added")).toBeNull();
  });

  test("can be found as its passages arrive", async () => {
    const text = sentences(600, "A quiet sentence about a tide that comes and goes.");
    const sizes: number[] = [];
    await engine.add(note("long", text), { onProgress: () => sizes.push(engine.size) });
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
    expect(sizes[0]).toBeGreaterThan(documents.length);
  });

  test("leaves nothing behind when it is given up half way", async () => {
    const controller = new AbortController();
    const text = sentences(600, "A quiet sentence about a tide that comes and goes.");
    const adding = engine.add(note("long", text), { signal: controller.signal, onProgress: () => controller.abort(new Error("removed")) });
    await expect(adding).rejects.toThrow("removed");
    expect(engine.size).toBe(documents.length);
    expect(engine.document("long")).toBeNull();
  });

  test("has its lone surrogates replaced, so that the encoder takes it", async () => {
    await engine.add(note("odd", "Half a pair \ud800 and bread."));
    expect(encoder.embedded.every((text) => text.isWellFormed())).toBe(true);
    expect((await engine.search("bread")).results).toHaveLength(2);
  });

  test("is refused when it is blank, or when its id is taken", async () => {
    await expect(engine.add(note("blank", " \n\t"))).rejects.toMatchObject({ code: "empty_input" });
    await expect(engine.add(note("sea", "Another text."))).rejects.toThrow(RangeError);
    expect(engine.document("sea")?.text).toBe("The tide.");
  });
});

describe("a library", () => {
  test("of another model is embedded anew before the first answer", async () => {
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    const stale = { ...library, passageVectors: [...library.passageVectors].reverse(), queryVectors: [topicVector("bread")] };
    engine = new SearchEngine(encoder, stale);
    expect((await engine.search("tide")).results[0]?.document.id).toBe("sea");
    expect((await engine.search("what the moon does")).results[0]?.document.id).not.toBe("food");
    expect(encoder.embedded).toContain("Note sea\nThe tide.");
  });

  test("is the same after it was written and read", () => {
    const { fingerprint, examples, passageVectors, queryVectors } = library;
    const header = { fingerprint, dimensions: topics.length, documents, examples };
    const packed = packVectors([...passageVectors, ...queryVectors]).buffer;
    expect(readLibrary(JSON.parse(JSON.stringify(header)), packed)).toEqual(library);
    expect(() => readLibrary(header, packed.slice(4))).toThrow(RangeError);
    expect(() => readLibrary({ ...header, examples: [] }, packed)).toThrow(RangeError);
  });
});
