import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Hit } from "../../shared/index/hit.ts";
import { readIndexFile, writeIndexFile } from "../../shared/index/index-file.ts";
import { parseQuery } from "../../shared/index/query.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import type { IndexDocument } from "../../shared/index/segment-builder.ts";
import { termsOf } from "../../shared/index/terms.ts";
import { geometryOf } from "../../shared/index/vector-codes.ts";

const geometry = geometryOf(32);
const fingerprint = "ab".repeat(32);

const vocabulary = ["sea", "tide", "tides", "heating", "heated", "wet", "radiator", "bleed", "moon", "Straße", "été", "水路", "𝒳x", "2024"];
const word = fc.constantFrom(...vocabulary);
const sentence = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(" "));
const fieldsOf = fc.constantFrom({ kind: "note" }, { kind: "mail", folder: "sea" });
const documentOf = fc.record({
  id: fc.constantFrom("a", "b", "c/1", "c/2", "d"),
  title: sentence,
  paragraphs: fc.array(sentence, { maxLength: 3 }),
  fields: fieldsOf,
  headings: fc.array(word, { maxLength: 2 }),
});

const change = fc.oneof(
  { weight: 4, arbitrary: fc.array(documentOf, { minLength: 1, maxLength: 3 }).map((documents) => ({ type: "put" as const, documents })) },
  { weight: 2, arbitrary: fc.array(fc.constantFrom("a", "b", "c/1", "d", "unknown")).map((ids) => ({ type: "remove" as const, ids })) },
  { weight: 1, arbitrary: fc.constant({ type: "merge" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "reopen" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "embed" as const }) },
);

type Generated = Parameters<Parameters<typeof documentOf.map>[0]>[0];

function chunked({ id, title, paragraphs, fields, headings }: Generated): IndexDocument {
  let text = "";
  const passages = paragraphs.map((paragraph) => {
    const start = text.length;
    text += `${paragraph}\n`;
    return { start, end: start + paragraph.length, headings, hash: hashOf(title + paragraph), readable: true };
  });
  return { id, title, text, fields, passages };
}

/** A hash and a vector that depend on the text alone. */
function hashOf(text: string): string {
  let state = 7;
  for (let i = 0; i < text.length; i++) state = (Math.imul(state, 31) + text.charCodeAt(i)) >>> 0;
  return state.toString(16).padStart(8, "0").repeat(8);
}

function vectorOf(hash: string): Float32Array {
  const vector = Float32Array.from({ length: 32 }, (_, i) => ((Number.parseInt(hash.slice(0, 8), 16) >>> (i % 24)) & 15) - 7.5);
  const norm = Math.hypot(...vector);
  return vector.map((component) => component / norm);
}

function newIndex(): SearchIndex {
  const index = new SearchIndex();
  index.expectDimensions(geometry.dimensions);
  return index;
}

const embed = (index: SearchIndex, documents: Iterable<IndexDocument>) => {
  for (const { passages } of documents) for (const { hash } of passages) index.setVector(hash, vectorOf(hash));
};

/** Applies the changes to an index and to a plain map. */
async function applied(changes: readonly Parameters<Parameters<typeof change.map>[0]>[0][]) {
  let index = newIndex();
  const model = new Map<string, IndexDocument>();
  const embedded = new Set<string>();
  for (const each of changes) {
    if (each.type === "put") {
      const documents = each.documents.map(chunked);
      await index.put(documents);
      for (const document of documents) model.set(document.id, document);
    } else if (each.type === "remove") {
      index.remove(each.ids);
      for (const id of each.ids) model.delete(id);
    } else if (each.type === "merge") {
      await index.merge();
    } else if (each.type === "embed") {
      embed(index, model.values());
      for (const { passages } of model.values()) for (const { hash } of passages) embedded.add(hash);
    } else {
      const file = await writeIndexFile({ fingerprint, geometry, segments: [await index.snapshot()] });
      index = newIndex();
      for (const segment of (await readIndexFile(file)).segments) await index.add(segment);
    }
  }
  return { index, model };
}

const placesOf = (hits: readonly Hit[]) => hits.map(({ id, passage: { start } }) => `${id} ${start}`);

const queries = ["tide", "heat", "sea moon", "wet radiat", '"sea tide"', "sea -moon", "radaitor", "straße", "水路"];

describe("an index after any sequence of changes", () => {
  test("after any changes, an index holds the same documents as a map, with their texts, fields and headings", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        const { index, model } = await applied(changes);
        const found = [...index.documents()].map(({ id, title, fields }) => ({ id, title, fields, text: index.textOf(id) }));
        const expected = [...model.values()].map(({ id, title, fields, text }) => ({ id, title, fields, text }));
        const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
        expect(found.sort(byId)).toEqual(expected.sort(byId));
      }),
      { numRuns: 60 },
    );
  });

  test("after any changes, keyword search for one word finds exactly the passages with a word of that stem", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), word, async (changes, searched) => {
        const { index, model } = await applied(changes);
        const [term] = termsOf(searched);
        const expected = [...model.values()].flatMap(({ id, title, text, passages }) =>
          passages
            .filter(({ start, end, headings }) => {
              const own = termsOf([title, ...headings, text.slice(start, end)].join("\n"));
              return own.some((each) => each.term === term?.term);
            })
            .map(({ start }) => `${id} ${start}`),
        );
        const hits = index.search(parseQuery(`${searched} `), null, { limit: 100, mode: "keyword" });
        // Without an exact match, similarly spelled words are found.
        if (expected.length > 0) expect(placesOf(hits).sort()).toEqual(expected.sort());
      }),
      { numRuns: 80 },
    );
  });

  test("after any changes, an index answers like one built at once from the same documents", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.constantFrom(...queries), fc.boolean(), async (changes, text, filtered) => {
        const { index, model } = await applied([...changes, { type: "embed" }]);
        const fresh = newIndex();
        await fresh.put([...model.values()]);
        embed(fresh, model.values());
        const query = parseQuery(text);
        for (const mode of ["keyword", "semantic", "hybrid"] as const) {
          const options = { limit: 5, mode, ...(filtered && { fields: ({ kind }: { kind?: unknown }) => kind === "note" }) };
          expect(index.search(query, vectorOf(hashOf(text)), options)).toEqual(fresh.search(query, vectorOf(hashOf(text)), options));
        }
      }),
      { numRuns: 80 },
    );
  });

  test("a merged segment has the bytes of one built at once and no trace of removed documents", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        const { index, model } = await applied([...changes, { type: "embed" }]);
        const fresh = newIndex();
        await fresh.put([...model.values()]);
        embed(fresh, model.values());
        const bytesOf = async (of: SearchIndex) => writeIndexFile({ fingerprint, geometry, segments: [await of.snapshot()] });
        expect(await bytesOf(index)).toEqual(await bytesOf(fresh));
      }),
      { numRuns: 60 },
    );
  });
});
