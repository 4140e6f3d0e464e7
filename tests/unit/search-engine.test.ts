import { beforeEach, describe, expect, test } from "vitest";
import type { Model } from "../../shared/encoder/encoder.ts";
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
  relevance: FakeModel.model.relevance ?? null,
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

const found = async (query: string, options?: SearchOptions) => (await engine.search(query, options)).hits.map(({ id }) => id);

describe("searching", () => {
  test("a search finds the nearest passage and leaves out irrelevant ones", async () => {
    await engine.load();
    const { hits, embedTime, mode } = await engine.search("bread");
    expect(hits.map(({ id, passage }) => [id, passage.text])).toEqual([["food", "The bread."]]);
    expect(hits[0]?.relevance).toBeGreaterThan(weakRelevance);
    expect(hits[0]?.cosine).toBeCloseTo(1);
    expect(hits[0]).toMatchObject({ strength: "strong", passage: { marks: [{ start: 4, end: 9 }] } });
    expect(embedTime).not.toBeNull();
    expect(mode).toBe("hybrid");
  });

  test("relevance follows the calibration of the model, and a model without one leaves it open", async () => {
    const { fingerprint, relevance, ...model } = FakeModel.model;
    const search = async (calibrated: Partial<Model>) => {
      encoder = new TopicEncoder();
      encoder.model = { ...model, dimensions: 64, fingerprint: "0".repeat(64), ...calibrated };
      engine = new SearchEngine(encoder);
      await engine.add([note("exact", "bread"), note("half", "bread tide"), note("other", "cello")]);
      const { hits } = await engine.search("bread", { mode: "semantic" });
      return hits.map(({ id, strength, relevance: found }) => [id, strength, found]);
    };
    // The cosines are 1, 0.71 and 0.
    const strict = { center: 0.25, slope: 5, background: 0.5 };
    expect(await search({ relevance: strict })).toEqual([
      ["exact", "good", expect.closeTo(0.78, 1)],
      ["half", "weak", expect.closeTo(0.45, 1)],
    ]);
    expect(await search({})).toEqual([
      ["exact", "good", null],
      ["half", "good", null],
      ["other", "good", null],
    ]);
  });

  test("a search for an example query needs no model", async () => {
    encoder.gate = new Promise(() => {});
    const { hits, embedTime } = await engine.search("what the moon does");
    expect(hits.map(({ id }) => id)).toEqual(["sea"]);
    expect(embedTime).toBeNull();
    expect(encoder.loads).toBe(0);
  });

  test("a search is answered by keyword while the model loads, and by meaning once it is loaded", async () => {
    let letGo = () => {};
    encoder.gate = new Promise((resolve) => {
      letGo = resolve;
    });
    const query = "breads, bread and tidetide";
    expect(await engine.search(query)).toMatchObject({ mode: "keyword", hits: [{ id: "food" }] });
    letGo();
    await engine.load();
    expect(new Set(await found(query))).toEqual(new Set(["sea", "food"]));
    expect(await engine.search(query, { mode: "semantic" })).toMatchObject({ mode: "semantic" });
    expect(await found(query, { mode: "keyword" })).toEqual(["food"]);
  });

  test("a search aborted while the model loads rejects with the signal's reason and embeds nothing", async () => {
    encoder.gate = new Promise(() => {});
    const controller = new AbortController();
    const search = engine.search("bread", { mode: "semantic", signal: controller.signal });
    controller.abort(new Error("another query came"));
    await expect(search).rejects.toThrow("another query came");
    expect(encoder.embedded).toEqual([]);
  });

  test("a search after a failed load loads again", async () => {
    encoder.fail(new EncoderError("load_failed", "no network"));
    await expect(engine.search("bread", { mode: "semantic" })).rejects.toThrow("no network");
    encoder.gate = Promise.resolve();
    expect((await engine.search("bread", { mode: "semantic" })).hits).toHaveLength(1);
    expect(encoder.loads).toBe(2);
  });

  test("a search applies document, folder and kind filters, phrases and exclusions in every mode", async () => {
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

  test("a keyword search keeps the order of the keyword index", async () => {
    // One rare word says more than two that are everywhere, though it is a smaller share of the query.
    const texts = ["A radiator.", ...Array.from({ length: 6 }, (_, i) => `Spring and tide, ${"again ".repeat(i)}`)];
    engine = new SearchEngine(encoder);
    await engine.add(texts.map((text, key) => note(String(key), text)));
    expect(await found("radiator spring tide ", { mode: "keyword" })).toEqual(texts.map((_, key) => String(key)));
  });

  test("the search engine gives the relevance of each passage of a document, and its closest sentence", async () => {
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

describe("adding documents", () => {
  test("an added document is found with its passage's offsets, and not after its removal", async () => {
    const text = `Nothing of interest here.\n\n${sentences(80, "It is quiet in the house today.")}\n\nThen a cello began.`;
    await engine.add(note("added", text));
    const { hits } = await engine.search("cello");
    const added = hits.find(({ id }) => id === "added");
    expect(added?.passage.text).toContain("Then a cello began.");
    expect(text.slice(added?.passage.start, added?.passage.end)).toBe(added?.passage.text);
    expect(added?.passage.marks.map(({ start, end }) => text.slice(start, end))).toEqual(["cello"]);
    expect(engine.document("added")?.text).toBe(text);

    await engine.remove("added");
    expect(await found("cello")).toEqual(["music"]);
    expect(engine.size).toBe(documents.length);
    expect(engine.document("added")).toBeNull();
  });

  test("an added document is found by keyword before the model loads, and by meaning once embedded", async () => {
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

  test("adding a document reports its progress", async () => {
    const done: number[] = [];
    await engine.add(note("long", distinct(600)), { onProgress: (progress) => done.push(progress.done) });
    expect(done.length).toBeGreaterThan(2);
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(engine.coverage("long").total);
  });

  test("a later addition is embedded before earlier ones, and its short documents before long ones", async () => {
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

  test("documents of one addition are embedded shortest first, even when added one after another", async () => {
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

  test("a filter leaves the built-in documents out of a search", async () => {
    await engine.add(note("mine", "Bread of my own."));
    expect(await found("bread", { filter: { builtIn: false } })).toEqual(["mine"]);
    expect(new Set(await found("bread"))).toEqual(new Set(["mine", "food"]));
  });

  test("only the new passages of an added document are embedded", async () => {
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

  test("a document whose addition is aborted stays searchable by keyword until it is removed", async () => {
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

  test("a document is embedded after a failed load when the model is loaded again", async () => {
    encoder.fail(new EncoderError("load_failed", "no network"));
    await expect(engine.add(note("new", "A new tide."))).rejects.toMatchObject({ code: "load_failed" });
    expect(await found("new", { mode: "keyword" })).toEqual(["new"]);
    encoder.gate = Promise.resolve();
    await engine.load();
    await expect.poll(() => engine.coverage("new").done).toBe(1);
  });

  test("an added document's lone surrogates are replaced before it is embedded", async () => {
    await engine.add(note("odd", "Half a pair \ud800 and bread."));
    expect(encoder.embedded.every((text) => text.isWellFormed())).toBe(true);
    expect((await engine.search("bread")).hits).toHaveLength(2);
  });

  test("a blank document is rejected, and an added document replaces one with the same id", async () => {
    await expect(engine.add(note("blank", " \n\t"))).rejects.toMatchObject({ code: "empty_input" });
    await engine.add(note("sea", "Another text about a radiator."));
    expect(await found("radiator")).toEqual(expect.arrayContaining(["rest", "sea"]));
    expect(await found("tide")).toEqual([]);
    expect(engine.size).toBe(documents.length);
  });

  test("a document that is not English is searched by keyword only", async () => {
    const german =
      "Die Wärmepumpe im Keller lief die ganze Nacht, und am Morgen war das Haus trotzdem kalt. Wir haben den Techniker gerufen, der nach zwei Stunden kam.";
    await engine.add([note("de", german), note("ja", "ヒートポンプは一晩中動いていましたが、朝は家が寒かったです。技術者を呼びました。")]);
    expect(encoder.embedded).toEqual([]);
    expect(engine.entries().map((entry) => isKeywordOnly(entry))).toEqual([true, true]);
    expect(await found("Wärmepumpe")).toEqual(["de"]);
    expect(await found("朝は寒い")).toEqual(["ja"]);
  });
});

describe("the index store", () => {
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

  test("the store gets every change in order and restores the search without embedding anything again", async () => {
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

  test("a half-embedded document is restored from the store, and the rest is embedded", async () => {
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

  test("restored documents are embedded after all later additions", async () => {
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

  test("documents stored with another model's vectors are restored for keyword search, and new vectors are stored once the model loads", async () => {
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

  test("the store gets the fingerprint of the model that made the vectors, even when it is not the library's", async () => {
    const keeper = new Keeper();
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    engine = new SearchEngine(encoder, library, keeper);
    await engine.add(note("a", "A tide and a cello."));
    await engine.put([await chunkDocument({ ...note("a", "A tide and a cello."), id: "copy" })]);
    expect(keeper.kept.get("copy")?.codes).not.toContain(null);
    expect(keeper.fingerprints).toEqual(new Set(["0".repeat(64)]));
  });
});

describe("index files", () => {
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

  test("an index file is imported without embedding, and has the same bytes for any order of its documents", async () => {
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

  test("an index file of another model is rejected, unless its texts are to be re-embedded", async () => {
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

  test("an index file with vectors of other dimensions is rejected, even when it names the same model", async () => {
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

describe("the built-in library", () => {
  test("a library of another model is re-embedded before the first answer", async () => {
    encoder.model = { ...encoder.model, fingerprint: "0".repeat(64) };
    const stale = { ...library, passageVectors: [...library.passageVectors].reverse(), queryVectors: [topicVector("bread")] };
    engine = new SearchEngine(encoder, stale);
    expect((await engine.search("tide", { mode: "semantic" })).hits[0]?.id).toBe("sea");
    expect((await engine.search("what the moon does")).hits[0]?.id).not.toBe("food");
    expect(encoder.embedded).toContain("Note sea\nThe tide.");
  });

  test("a library reads back as written", () => {
    const { fingerprint, relevance, examples, passageVectors, queryVectors } = library;
    const header = { fingerprint, relevance, dimensions: 64, documents, examples };
    const packed = packVectors([...passageVectors, ...queryVectors]).buffer;
    expect(readLibrary(JSON.parse(JSON.stringify(header)), packed)).toEqual(library);
    expect(() => readLibrary(header, packed.slice(4))).toThrow(RangeError);
    expect(() => readLibrary({ ...header, examples: [] }, packed)).toThrow(RangeError);
  });
});
