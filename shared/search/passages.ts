import { sha256Hex } from "../hash.ts";
import { hashBytes, type Segment } from "../index/segment.ts";
import type { IndexDocument } from "../index/segment-builder.ts";
import type { VectorCode } from "../index/vector-codes.ts";
import type { Chunk } from "./chunk.ts";
import { isEnglish } from "./language.ts";
import { type Document, embeddedText, passagesOf } from "./library.ts";

/** A chunk of a document, without its text: `start` up to `end`, in UTF-16 code units. */
interface ChunkedPassage extends Omit<Chunk, "text"> {
  /** First 16 bytes of the SHA-256 of the embedded text, in hex: passages with the same hash share a vector. */
  readonly hash: string;
  /** Whether the model can embed it well: whether it is English. */
  readonly readable: boolean;
}

/** A document split into passages. It can be cloned, so that another thread can make it. */
export interface ChunkedDocument {
  readonly document: Document;
  readonly passages: readonly ChunkedPassage[];
}

/** A passage of an indexed document. */
export interface Passage extends Pick<ChunkedPassage, "hash" | "readable"> {
  readonly entry: Entry;
  readonly chunk: Chunk;
  /** Whether it has a vector. */
  embedded: boolean;
}

/** An indexed document. */
export interface Entry {
  readonly document: Document;
  readonly passages: readonly Passage[];
  /** Whether it is one of the library's documents, which are not exported. */
  readonly builtIn: boolean;
  /** The number of readable passages, and how many of them have a vector. */
  readonly readable: number;
  embedded: number;
}

/** A chunk from an earlier run, and whether it is readable, if known: language detection takes ten times as long as chunking. */
type KnownChunk = Omit<Chunk, "text"> & Partial<Pick<ChunkedPassage, "readable">>;

/**
 * Splits a document into passages. Lone surrogates are replaced by U+FFFD.
 * @param chunks the chunks of an earlier run, which are used as they are
 */
export async function chunkDocument(source: Document, chunks?: readonly KnownChunk[]): Promise<ChunkedDocument> {
  const { id, title, kind, text } = source;
  const document = { id, title: title.toWellFormed(), kind, text: text.toWellFormed() };
  const known: readonly KnownChunk[] = chunks ?? passagesOf(document);
  const passages = known.map(async ({ start, end, headings, readable }): Promise<ChunkedPassage> => {
    const chunk = { text: document.text.slice(start, end), start, end, headings };
    const hash = await sha256Hex(new TextEncoder().encode(embeddedText(document, chunk)));
    return { start, end, headings, hash, readable: readable ?? isEnglish(chunk.text) };
  });
  return { document, passages: await Promise.all(passages) };
}

export function entryOf({ document, passages: chunks }: ChunkedDocument, { builtIn = false } = {}): Entry {
  const passages: Passage[] = [];
  const entry = { document, passages, builtIn, readable: chunks.filter(({ readable }) => readable).length, embedded: 0 };
  for (const { start, end, headings, hash, readable } of chunks) {
    const chunk = { text: document.text.slice(start, end), start, end, headings };
    passages.push({ entry, chunk, hash: hash.slice(0, 2 * hashBytes), readable, embedded: false });
  }
  return entry;
}

/** The chunked document of an entry. */
export function chunkedDocumentOf({ document, passages }: Entry): ChunkedDocument {
  return {
    document,
    passages: passages.map(({ chunk: { start, end, headings }, hash, readable }) => ({ start, end, headings, hash, readable })),
  };
}

/** The documents of a segment. */
export function* entriesOf(segment: Segment): Iterable<Entry> {
  for (let place = 0; place < segment.documents; place++) {
    const { id, title, fields } = segment.document(place);
    const [from, to] = segment.passagesOf(place);
    const passages: ChunkedPassage[] = [];
    for (let passage = from; passage < to; passage++) {
      passages.push({ ...segment.passage(passage), hash: segment.hashOf(passage), readable: segment.isReadable(passage) });
    }
    const entry = entryOf({ document: { id, title, kind: String(fields.kind ?? ""), text: segment.textOf(place) }, passages });
    for (const [i, passage] of entry.passages.entries()) passage.embedded = segment.hasCode(from + i);
    yield entry;
  }
}

/** Whether at most half of a document's passages are readable: semantic search hardly finds it. */
export const isKeywordOnly = ({ passages, readable }: Entry): boolean => passages.length > 0 && 2 * readable <= passages.length;

/** The text that is embedded for a passage. */
export const embeddedTextOf = ({ entry, chunk }: Passage): string => embeddedText(entry.document, chunk);

/** An entry as a document of the index. @param codeOf the code of a hash, if it is known */
export function indexDocumentOf(
  { document: { id, title, kind, text }, passages, builtIn }: Entry,
  codeOf: (hash: string) => VectorCode | null,
): IndexDocument {
  return {
    ...{ id, title, text },
    fields: { kind, ...(builtIn && { builtIn }) },
    passages: passages.map(({ chunk: { start, end, headings }, hash, readable }) => ({
      ...{ start, end, headings, hash, readable },
      code: codeOf(hash),
    })),
  };
}

/** The indexed passages, by document and hash. */
export class PassageTable {
  readonly #entries = new Map<string, Entry>();
  readonly #byHash = new Map<string, Set<Passage>>();

  entries(): Entry[] {
    return [...this.#entries.values()];
  }

  entry(id: string): Entry | null {
    return this.#entries.get(id) ?? null;
  }

  passagesByHash(hash: string): ReadonlySet<Passage> {
    return this.#byHash.get(hash) ?? noPassages;
  }

  /** Adds a document. The id must not be in use. */
  add(entry: Entry): void {
    this.#entries.set(entry.document.id, entry);
    entry.embedded = entry.passages.filter(({ readable, embedded }) => readable && embedded).length;
    for (const passage of entry.passages) {
      const passages = this.#byHash.get(passage.hash) ?? new Set();
      this.#byHash.set(passage.hash, passages.add(passage));
    }
  }

  /** Counts a vector for all passages with this hash. */
  setEmbedded(hash: string): void {
    for (const passage of this.passagesByHash(hash)) {
      if (passage.embedded) continue;
      passage.embedded = true;
      if (passage.readable) passage.entry.embedded += 1;
    }
  }

  /** Counts no vectors any more. */
  clearEmbedded(): void {
    for (const entry of this.#entries.values()) {
      entry.embedded = 0;
      for (const passage of entry.passages) passage.embedded = false;
    }
  }

  remove({ document, passages }: Entry): void {
    this.#entries.delete(document.id);
    for (const passage of passages) {
      const sameHash = this.#byHash.get(passage.hash);
      sameHash?.delete(passage);
      if (sameHash?.size === 0) this.#byHash.delete(passage.hash);
    }
  }
}

const noPassages: ReadonlySet<Passage> = new Set();
