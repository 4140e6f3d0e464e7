import { beforeEach, describe, expect, test } from "vitest";
import { EncoderError } from "../../shared/errors.ts";
import { writeIndexFile } from "../../shared/index/index-file.ts";
import { weakRelevance } from "../../shared/index/relevance.ts";
import { SegmentBuilder } from "../../shared/index/segment-builder.ts";
import { geometryOf, VectorCodec } from "../../shared/index/vector-codes.ts";
import type { SearchOptions } from "../../shared/search/answer.ts";
import type { IndexStore, IndexVectors, StoredDocument } from "../../shared/search/index-store.ts";
import { type Document, type Library, packVectors, passagesOf, readLibrary } from "../../shared/search/library.ts";
import { chunkDocument, chunkedDocumentOf, type Entry, isKeywordOnly, type Passage } from "../../shared/search/passages.ts";
import { SearchEngine } from "../../shared/search/search-engine.ts";
import { FakeModel } from "./fake-model.ts";
import { TopicEncoder, topicVector } from "./topic-encoder.ts";

const note = (id: string, text: string): Document => ({ id, title: `Note ${id}`, kind: "note", text });
const documents = [note("sea", "The tide."), note("food", "The bread."), note("music", "The cello."), note("rest", "The radiator.")];
const library: Library = {
  fingerprint: FakeModel.model.fingerprint,
  documents,
  examples: [{ query: "what the moon does", answer: "sea" }],
  passageVectors: documents.map(({ text }) => topicVector(text)),
  queryVectors: [topicVector("tide")],
};
/** Many passages, no two of which are alike. */
const distinct = (count: number, topic = "tide") =>
  Array.from({ length: count }, (_, i) => `A quiet sentence number ${i} about a ${topic} that comes and goes.`).join("\n\n");
const sentences = (count: number, sentence: string) => Array<string>(count).fill(sentence).join("\n\n");

let encoder: TopicEncoder;
let engine: SearchEngine;
beforeEach(() => {
  encoder = new TopicEncoder();
  engine = new SearchEngine(encoder, library);
});

const found = async (query: string, options?: SearchOptions) =>
  (await engine.search(query, options)).results.map(({ document }) => document.id);

describe("a search", () => {
  test("finds the passage that is nearest, and leaves out what is irrelevant", async () => {
    await engine.load();
    const { results, embedTime, mode } = await engine.search("bread");
    expect(results.map(({ document, passage }) => [document.id, passage.text])).toEqual([["food", "The bread."]]);
    expect(results[0]?.relevance).toBeGreaterThan(weakRelevance);
    expect(results[0]?.cosine).toBeCloseTo(1);
    expect(results[0]).toMatchObject({ weak: false, words: [{ start: 4, end: 9 }] });
    expect(embedTime).not.toBeNull();
    expect(mode).toBe("hybrid");
  });

  test("for an example query needs no model", async () => {
    encoder.gate = new Promise(() => {});
    const { results, embedTime } = await engine.search("what the moon does");
    expect(results.map(({ document }) => document.id)).toEqual(["sea"]);
    expect(embedTime).toBeNull();
    expect(encoder.loads).toBe(0);
  });

  test("is answered by words while the model loads, and by meaning too once it is there", async () => {
    let letGo = () => {};
    encoder.gate = new Promise((resolve) => {
      letGo = resolve;
    });
    const query = "breads, bread and tidetide";
    expect(await engine.search(query)).toMatchObject({ mode: "keyword", results: [{ document: { id: "food" } }] });
    letGo();
    await engine.load();
    expect(new Set(await found(query))).toEqual(new Set(["sea", "food"]));
    expect(await engine.search(query, { mode: "semantic" })).toMatchObject({ mode: "semantic" });
    expect(await found(query, { mode: "keyword" })).toEqual(["food"]);
  });

  test("that is given up while the model loads rejects with the reason and embeds nothing", async () => {
    encoder.gate = new Promise(() => {});
    const controller = new AbortController();
    const search = engine.search("bread", { mode: "semantic", signal: controller.signal });
    controller.abort(new Error("another query came"));
    await expect(search).rejects.toThrow("another query came");
    expect(encoder.embedded).toEqual([]);
  });

  test("after a failed load tries again", async () => {
    encoder.fail(new EncoderError("load_failed", "no network"));
    await expect(engine.search("bread", { mode: "semantic" })).rejects.toThrow("no network");
    encoder.gate = Promise.resolve();
    expect((await engine.search("bread", { mode: "semantic" })).results).toHaveLength(1);
    expect(encoder.loads).toBe(2);
  });

  test("keeps to files, folders, kinds, phrases and exclusions, by words and by meaning", async () => {
    await engine.add([
      { id: "notes/a.md", title: "A", kind: "md", text: "Fresh bread every day." },
      { id: "notes/b.txt", title: "B", kind: "txt", text: "The bread is not fresh." },
      { id: "other.md", title: "C", kind: "md", text: "More bread." },
    ]);
    for (const mode of ["hybrid", "semantic", "keyword"] as const) {
      const among = async (query: string, filter: SearchOptions["filter"] = {}) => (await found(query, { mode, filter })).sort();
      expect(await among("bread", { documents: ["notes/"] })).toEqual(["notes/a.md", "notes/b.txt"]);
      expect(await among("bread", { documents: ["notes/b.txt", "other.md"] })).toEqual(["notes/b.txt", "other.md"]);
      expect(await among("bread", { kinds: ["md"] })).toEqual(["notes/a.md", "other.md"]);
      expect(await among('"fresh bread"')).toEqual(["notes/a.md"]);
      expect(await among("bread -fresh")).toEqual(["food", "other.md"]);
    }
  });

  test("by words alone keeps the order in which the index of words finds them", async () => {
    // One rare word says more than two that are everywhere, though it is a smaller share of the query.
    const texts = ["A radiator.", ...Array.from({ length: 6 }, (_, i) => `Spring and tide, ${"again ".repeat(i)}`)];
    engine = new SearchEngine(encoder);
    await engine.add(texts.map((text, key) => note(String(key), text)));
    expect(await found("radiator spring tide ", { mode: "keyword" })).toEqual(texts.map((_, key) => String(key)));
  });

  test("tells the relevance of each passage of a document, and the sentence that is closest", async () => {
    const text = `${sentences(80, "It is quiet in the house today.")} Here is bread. There is a tide.`;
    await engine.add(note("long", text));
    const passages = (await engine.relevanceIn("long", "tide")) ?? [];
    expect(passages.length).toBeGreaterThan(2);
    expect(passages.at(-1)?.relevance).toBeGreaterThan(passages[0]?.relevance ?? 1);
    const sentence = await engine.closestSentence("long", passages.at(-1)?.start ?? 0, "tide");
    expect(text.slice(sentence?.start, sentence?.end)).toBe("There is a tide.");
    await engine.add(note("headed", "# The tide\n\nThere is a tide in it. And bread."));
    expect(await engine.closestSentence("headed", 0, "tide")).toEqual({ start: 12, end: 34 });
    expect(await engine.relevanceIn("nowhere", "tide")).toBeNull();
    expect(await engine.closestSentence("nowhere", 0, "tide")).toBeNull();
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
    expect(added?.words.map(({ start, end }) => text.slice(start, end))).toEqual(["cello"]);
    expect(engine.document("added")?.text).toBe(text);

    await engine.remove("added");
    expect(await found("cello")).toEqual(["music"]);
    expect(engine.size).toBe(documents.length);
    expect(engine.document("added")).toBeNull();
  });

  test("is found by words before the model is there, and by meaning as its vectors arrive", async () => {
    let letGo = () => {};
    encoder.gate = new Promise((resolve) => {
      letGo = resolve;
    });
    const adding = engine.add(note("long", distinct(60)));
    await expect.poll(() => engine.document("long")).not.toBeNull();
    expect(new Set(await found("quiet sentence"))).toEqual(new Set(["long"]));
    const { done, total } = engine.coverage("long");
    expect(done).toBe(0);
    letGo();
    await adding;
    expect(engine.coverage("long")).toEqual({ done: total, total });
  });

  test("tells its progress", async () => {
    const done: number[] = [];
    await engine.add(note("long", distinct(600)), { onProgress: (progress) => done.push(progress.done) });
    expect(done.length).toBeGreaterThan(2);
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(engine.coverage("long").total);
  });

  test("comes before what was added earlier, and a short one before a long one", async () => {
    engine.pause();
    const earlier = engine.add(note("earlier", distinct(40, "earlier")));
    await expect.poll(() => engine.document("earlier")).not.toBeNull();
    const later = engine.add([note("long", distinct(40, "long")), note("short", "A short one.")]);
    await expect.poll(() => engine.document("short")).not.toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 0));
    engine.resume();
    await Promise.all([earlier, later]);
    const titles = [...new Set(encoder.embedded.map((text) => text.split("\n")[0]))];
    expect(titles).toEqual(["Note short", "Note long", "Note earlier"]);
  });

  test("with others of one addition is embedded shortest first, even when they come one after the other", async () => {
    const titled = async (id: string, text: string) => [await chunkDocument(note(id, text))];
    engine.pause();
    await engine.put(await titled("long", distinct(40, "long")), { addition: 1 });
    await engine.put(await titled("short", "A short one."), { addition: 1 });
    await engine.put(await titled("newest", distinct(40, "newest")), { addition: 2 });
    await engine.load();
    engine.resume();
    await expect.poll(() => engine.coverage()).toMatchObject({ done: engine.coverage().total });
    expect([...new Set(encoder.embedded.map((text) => text.split("\n")[0]))]).toEqual(["Note newest", "Note short", "Note long"]);
  });

  test("can be told from the library's: a filter leaves those out", async () => {
    await engine.add(note("mine", "Bread of my own."));
    expect(await found("bread", { filter: { builtIn: false } })).toEqual(["mine"]);
    expect(new Set(await found("bread"))).toEqual(new Set(["mine", "food"]));
  });

  test("is embedded only where it is new", async () => {
    const text = distinct(60);
    await engine.add(note("a", text));
    const before = encoder.embedded.length;
    await engine.add({ ...note("a", text), id: "copy" });
    expect(encoder.embedded).toHaveLength(before);
    await engine.remove("a");
    await engine.add({ ...note("a", `${text}\n\nOne more, about a cello.`), id: "copy" });
    expect(encoder.embedded.length - before).toBeLessThanOrEqual(2);
    expect(engine.coverage("copy").done).toBe(engine.coverage("copy").total);
    expect(await found("cello")).toContain("copy");
  });

  test("that is given up half way stays to be found by words, until it is removed", async () => {
    const controller = new AbortController();
    const onProgress = () => {
      controller.abort(new Error("given up"));
      engine.pause();
    };
    const adding = engine.add(note("long", distinct(600)), { signal: controller.signal, onProgress });
    await expect(adding).rejects.toThrow("given up");
    expect(engine.coverage("long").done).toBeLessThan(engine.coverage("long").total);
    expect(await found("quiet sentence", { mode: "keyword", limit: 1 })).toEqual(["long"]);
    await engine.remove("long");
    expect(engine.size).toBe(documents.length);
    expect(engine.coverage()).toEqual({ done: 0, total: 0 });
  });

  test("is embedded after a failure, when the model is asked for again", async () => {
    encoder.fail(new EncoderError("load_failed", "no network"));
    await expect(engine.add(note("new", "A new tide."))).rejects.toMatchObject({ code: "load_failed" });
    expect(await found("new", { mode: "keyword" })).toEqual(["new"]);
    encoder.gate = Promise.resolve();
    await engine.load();
    await expect.poll(() => engine.coverage("new").done).toBe(1);
  });

  test("has its lone surrogates replaced, so that the encoder takes it", async () => {
    await engine.add(note("odd", "Half a pair \ud800 and bread."));
    expect(encoder.embedded.every((text) => text.isWellFormed())).toBe(true);
    expect((await engine.search("bread")).results).toHaveLength(2);
  });

  test("is refused when it is blank, and takes the place of one that has its id", async () => {
    await expect(engine.add(note("blank", " \n\t"))).rejects.toMatchObject({ code: "empty_input" });
    await engine.add(note("sea", "Another text about a radiator."));
    expect(await found("radiator")).toEqual(expect.arrayContaining(["rest", "sea"]));
    expect(await found("tide")).toEqual([]);
    expect(engine.size).toBe(documents.length);
  });

  test("that is not English is searched by words only", async () => {
    const german =
      "Die Wärmepumpe im Keller lief die ganze Nacht, und am Morgen war das Haus trotzdem kalt. Wir haben den Techniker gerufen, der nach zwei Stunden kam.";
    await engine.add([note("de", german), note("ja", "ヒートポンプは一晩中動いていましたが、朝は家が寒かったです。技術者を呼びました。")]);
    expect(encoder.embedded).toEqual([]);
    expect(engine.entries().map((entry) => isKeywordOnly(entry))).toEqual([true, true]);
    expect(await found("Wärmepumpe")).toEqual(["de"]);
    expect(await found("朝は寒い")).toEqual(["ja"]);
  });
});

describe("a keeper", () => {
  /** Remembers what it is told, as a store does. */
  class Keeper implements IndexStore {
    readonly kept = new Map<string, StoredDocument>();
    readonly told: string[] = [];
    /** Of the models that made the vectors. */
    readonly fingerprints = new Set<string | null>();
    async putDocuments(entries: readonly Entry[], { codeOf, dimensions, fingerprint }: IndexVectors) {
      if (entries.some(({ passages }) => passages.some(({ hash }) => codeOf(hash)))) this.fingerprints.add(fingerprint);
      for (const entry of entries) {
        this.told.push(`put ${entry.document.id}`);
        const codes = entry.passages.map(({ hash }) => codeOf(hash));
        this.kept.set(entry.document.id, { ...chunkedDocumentOf(entry), dimensions, codes });
      }
    }
    async putVectors(passages: readonly Passage[], { codeOf, dimensions, fingerprint }: IndexVectors) {
      this.fingerprints.add(fingerprint);
      for (const { entry, hash } of passages) {
        const known = this.kept.get(entry.document.id);
        const at = entry.passages.findIndex((passage) => passage.hash === hash);
        if (known) this.kept.set(entry.document.id, { ...known, dimensions, codes: known.codes.with(at, codeOf(hash)) });
      }
    }
    async removeDocuments(ids: readonly string[]) {
      for (const id of ids) {
        this.told.push(`remove ${id}`);
        this.kept.delete(id);
      }
    }
  }

  test("is told of every change in order, and gives the search back as it was, with nothing embedded twice", async () => {
    const keeper = new Keeper();
    engine = new SearchEngine(encoder, library, keeper);
    const first = engine.add([note("a", "A tide and a cello."), note("b", distinct(40))]);
    const removal = engine.remove("a");
    await engine.add(note("c", "Fresh bread."));
    await Promise.all([first, removal]);
    expect(keeper.told).toEqual(["put a", "put b", "remove a", "put c"]);

    const embedded = encoder.embedded.length;
    const restored = new SearchEngine(encoder, library);
    await restored.restore([...keeper.kept.values()], engine.fingerprint);
    await restored.load();
    expect(restored.coverage()).toEqual(engine.coverage());
    expect(await restored.exportIndex()).toEqual(await engine.exportIndex());
    expect(encoder.embedded).toHaveLength(embedded);
  });

  test("gives back what was half done, and the rest is embedded", async () => {
    const keeper = new Keeper();
    engine = new SearchEngine(encoder, library, keeper);
    await engine.put([await chunkDocument(note("half", distinct(600)))]);
    await engine.load();
    await expect.poll(() => engine.coverage().done).toBeGreaterThan(0);
    engine.pause();
    const kept = [...keeper.kept.values()];
    const restored = new SearchEngine(encoder, library);
    await restored.restore(kept, engine.fingerprint);
    const { done, total } = restored.coverage();
    expect(done).toBe(kept[0]?.codes.filter((code) => code !== null).length);
    await restored.load();
    await expect.poll(() => restored.coverage().done).toBe(total);
  });

  test("gives back what comes behind all that is added since", async () => {
    const keeper = new Keeper();
    engine = new SearchEngine(encoder, library, keeper);
    engine.pause();
    for (const id of ["x", "y", "z"]) await engine.put([await chunkDocument(note(id, distinct(40, id)))]);
    const restored = new SearchEngine(encoder, library);
    restored.pause();
    for (const document of keeper.kept.values()) await restored.restore([document], engine.fingerprint);
    await restored.put([await chunkDocument(note("new", distinct(40, "new")))], { addition: restored.newAddition() });
    await restored.load();
    restored.resume();
    await expect.poll(() => restored.coverage()).toMatchObject({ done: restored.coverage().total });
    expect(encoder.embedded[0]).toContain("Note new");
  });

  test("that kept another model's vectors gives back words at once, and is told of new vectors once the model is there", async () => {
    const keeper = new Keeper();
    engine = new SearchEngine(encoder, library, keeper);
    await engine.add([note("a", "A tide and a cello."), note("b", distinct(40))]);
    const kept = [...keeper.kept.values()].map((document) => ({
      ...document,
      codes: document.codes.map(() => new VectorCodec(geometryOf(64)).encode(topicVector("bread"))),
    }));
    const again = new Keeper();
    for (const document of kept) again.kept.set(document.document.id, document);
    engine = new SearchEngine(encoder, library, again);
    await engine.restore(kept, "0".repeat(64));
    expect(await found("cello", { mode: "keyword" })).toContain("a");
    expect(engine.coverage()).toMatchObject({ done: 0 });
    expect(again.fingerprints).toEqual(new Set());

    await engine.load();
    await expect.poll(() => engine.coverage()).toMatchObject({ done: engine.coverage().total });
    expect(await found("cello", { mode: "semantic" })).toContain("a");
    expect(await found("bread", { mode: "semantic" })).toEqual(["food"]);
    expect(again.fingerprints).toEqual(new Set([encoder.model.fingerprint]));
    const vectors = ({ kept }: Keeper) => [...kept.values()].map(({ codes }) => codes);
    expect(vectors(again)).toEqual(vectors(keeper));
  });

  test("is told which model made the vectors, also when it is not the library's", async () => {
    const keeper = new Keeper();
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    engine = new SearchEngine(encoder, library, keeper);
    await engine.add(note("a", "A tide and a cello."));
    await engine.put([await chunkDocument({ ...note("a", "A tide and a cello."), id: "copy" })]);
    expect(keeper.kept.get("copy")?.codes).not.toContain(null);
    expect(keeper.fingerprints).toEqual(new Set(["0".repeat(64)]));
  });
});

describe("an index file", () => {
  const file = async (added: readonly Document[]) => {
    const source = new SearchEngine(encoder, library);
    for (const document of added) await source.add(document);
    return source.exportIndex();
  };
  const added = [
    note("b", distinct(40)),
    note("a", "A tide and a cello."),
    note("c", "Etwas, das nicht Englisch ist, und zwar so lange, dass man es merkt, wie es eben ist."),
  ];

  test("brings its documents without embedding them, and is the same whatever the order of their coming", async () => {
    const bytes = await file(added);
    expect(await file(added.toReversed())).toEqual(bytes);
    const embedded = encoder.embedded.length;
    await engine.importIndex(bytes);
    expect(await found("cello", { mode: "keyword" })).toEqual(expect.arrayContaining(["a", "music"]));
    expect(engine.coverage("b").done).toBe(engine.coverage("b").total);
    expect(await engine.exportIndex()).toEqual(bytes);
    expect(encoder.embedded).toHaveLength(embedded);
    expect(await found("tide", { mode: "semantic" })).toEqual(expect.arrayContaining(["a", "sea"]));
    // What was there before is found as it was.
    await engine.importIndex(bytes);
    expect(engine.size).toBe(documents.length + added.reduce((sum, { text }) => sum + passagesOf({ text }).length, 0));
  });

  test("of another model is refused, unless its texts are to be embedded anew", async () => {
    const bytes = await file(added);
    const other = new TopicEncoder();
    other.model = { ...other.model, fingerprint: "0".repeat(64) };
    engine = new SearchEngine(other);
    await engine.load();
    await expect(engine.importIndex(bytes)).rejects.toMatchObject({ code: "other_model" });
    expect(engine.size).toBe(0);
    await engine.importIndex(bytes, { reembed: true });
    await expect.poll(() => engine.coverage("a")).toEqual({ done: 1, total: 1 });
    expect(await found("tide", { mode: "semantic" })).toContain("a");
  });

  test("with vectors of other dimensions is refused, though it names the same model", async () => {
    const { fingerprint } = FakeModel.model;
    const geometry = geometryOf(1);
    const builder = new SegmentBuilder();
    builder.add({
      id: "a",
      title: "A",
      text: "bread",
      passages: [{ start: 0, end: 5, headings: [], hash: "ab".repeat(32), readable: true }],
    });
    const file = await writeIndexFile({ fingerprint, geometry, segments: [builder.finish(geometry)] });
    engine = new SearchEngine(encoder);
    await engine.load();
    await expect(engine.importIndex(file)).rejects.toMatchObject({ code: "invalid_index" });
  });
});

describe("a library", () => {
  test("of another model is embedded anew before the first answer", async () => {
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    const stale = { ...library, passageVectors: [...library.passageVectors].reverse(), queryVectors: [topicVector("bread")] };
    engine = new SearchEngine(encoder, stale);
    expect((await engine.search("tide", { mode: "semantic" })).results[0]?.document.id).toBe("sea");
    expect((await engine.search("what the moon does")).results[0]?.document.id).not.toBe("food");
    expect(encoder.embedded).toContain("Note sea\nThe tide.");
  });

  test("is the same after it was written and read", () => {
    const { fingerprint, examples, passageVectors, queryVectors } = library;
    const header = { fingerprint, dimensions: 64, documents, examples };
    const packed = packVectors([...passageVectors, ...queryVectors]).buffer;
    expect(readLibrary(JSON.parse(JSON.stringify(header)), packed)).toEqual(library);
    expect(() => readLibrary(header, packed.slice(4))).toThrow(RangeError);
    expect(() => readLibrary({ ...header, examples: [] }, packed)).toThrow(RangeError);
  });
});
