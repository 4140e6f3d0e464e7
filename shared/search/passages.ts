import { sha256Hex } from "../hash.ts";
import type { Chunk } from "./chunk.ts";
import { isEnglish } from "./language.ts";
import { type Document, embeddedText, headOf, passagesOf } from "./library.ts";

/** A passage as it was cut: from `start` up to `end` of its document's text, in UTF-16 code units. */
interface CutPassage extends Omit<Chunk, "text"> {
  /** SHA-256 of what is embedded: passages that have it in common share a vector. */
  readonly hash: string;
  /** Whether the model can make something of it: whether it is English. */
  readonly readable: boolean;
}

/** All that can be made of a document by itself. It can be cloned, so that another thread may make it. */
export interface CutDocument {
  readonly document: Document;
  readonly passages: readonly CutPassage[];
}

/** A passage of a document that is in the search. */
export interface Passage extends Pick<CutPassage, "hash" | "readable"> {
  /** Its number in this search: what comes later has a higher one. */
  readonly key: number;
  readonly entry: Entry;
  readonly chunk: Chunk;
}

/** A document in the search. */
export interface Entry {
  readonly document: Document;
  readonly passages: readonly Passage[];
  /** Whether it came with the page: it is not exported. */
  readonly builtIn: boolean;
  /** Passages that the model can read, and how many of them have their vector. */
  readonly readable: number;
  embedded: number;
}

/** Where a passage was cut before, and whether it is known to be readable: to tell takes ten times as long as to cut. */
type KnownCut = Omit<Chunk, "text"> & Partial<Pick<CutPassage, "readable">>;

/** Cuts a document into passages. `chunks` are those it was cut into before. Lone surrogates are replaced by U+FFFD. */
export async function cutDocument(source: Document, chunks?: readonly KnownCut[]): Promise<CutDocument> {
  const { id, title, kind, text } = source;
  const document = { id, title: title.toWellFormed(), kind, text: text.toWellFormed() };
  const cuts: readonly KnownCut[] = chunks ?? passagesOf(document);
  const passages = cuts.map(async ({ start, end, headings, readable }): Promise<CutPassage> => {
    const chunk = { text: document.text.slice(start, end), start, end, headings };
    const hash = await sha256Hex(new TextEncoder().encode(embeddedText(document, chunk)));
    return { start, end, headings, hash, readable: readable ?? isEnglish(chunk.text) };
  });
  return { document, passages: await Promise.all(passages) };
}

let lastKey = 0;

export function entryOf({ document, passages: cuts }: CutDocument, { builtIn = false } = {}): Entry {
  const passages: Passage[] = [];
  const entry = { document, passages, builtIn, readable: cuts.filter(({ readable }) => readable).length, embedded: 0 };
  for (const { start, end, headings, hash, readable } of cuts) {
    lastKey += 1;
    passages.push({ key: lastKey, entry, chunk: { text: document.text.slice(start, end), start, end, headings }, hash, readable });
  }
  return entry;
}

/** What an entry was made of. */
export function cutDocumentOf({ document, passages }: Entry): CutDocument {
  return {
    document,
    passages: passages.map(({ chunk: { start, end, headings }, hash, readable }) => ({ start, end, headings, hash, readable })),
  };
}

/** Whether the model can read no more than half of a document: words find it, meaning hardly does. */
export const isFoundByWordsOnly = ({ passages, readable }: Entry): boolean => passages.length > 0 && 2 * readable <= passages.length;

/** What is embedded for a passage. */
export const embeddedTextOf = ({ entry, chunk }: Passage): string => embeddedText(entry.document, chunk);

/** A passage as the index of words takes it. */
export const wordsOfPassage = ({ key, entry, chunk }: Passage) => ({ key, title: headOf(entry.document, chunk), text: chunk.text });

/** The passages in the search, by document, by number and by what is embedded. */
export class PassageTable {
  readonly #entries = new Map<string, Entry>();
  readonly #byKey = new Map<number, Passage>();
  readonly #byHash = new Map<string, Set<Passage>>();

  entries(): Entry[] {
    return [...this.#entries.values()];
  }

  entry(id: string): Entry | null {
    return this.#entries.get(id) ?? null;
  }

  passage(key: number): Passage | null {
    return this.#byKey.get(key) ?? null;
  }

  sharing(hash: string): ReadonlySet<Passage> {
    return this.#byHash.get(hash) ?? noPassages;
  }

  /** Adds a document. One of the same id must have been removed. */
  add(entry: Entry): void {
    this.#entries.set(entry.document.id, entry);
    for (const passage of entry.passages) {
      this.#byKey.set(passage.key, passage);
      const sharing = this.#byHash.get(passage.hash) ?? new Set();
      this.#byHash.set(passage.hash, sharing.add(passage));
    }
  }

  remove({ document, passages }: Entry): void {
    this.#entries.delete(document.id);
    for (const passage of passages) {
      this.#byKey.delete(passage.key);
      const sharing = this.#byHash.get(passage.hash);
      sharing?.delete(passage);
      if (sharing?.size === 0) this.#byHash.delete(passage.hash);
    }
  }
}

const noPassages: ReadonlySet<Passage> = new Set();
