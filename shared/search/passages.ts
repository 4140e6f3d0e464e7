import { sha256Hex } from "../encoder/manifest.ts";
import type { Chunk } from "./chunk.ts";
import { isEnglish } from "./language.ts";
import { type Document, embeddedText, headOf, passagesOf } from "./library.ts";

/** A passage of a document that is in the search. */
export interface Passage {
  /** Its number in this search: what comes later has a higher one. */
  readonly key: number;
  readonly entry: Entry;
  readonly chunk: Chunk;
  /** SHA-256 of what is embedded: passages that have it in common share a vector. */
  readonly hash: string;
  /** Whether the model can make something of it: whether it is English. */
  readonly readable: boolean;
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

let lastKey = 0;

/** A document with its passages. `chunks` are those it was cut into before; without them it is cut now. */
export async function entryOf(document: Document, { builtIn = false, chunks = passagesOf(document) } = {}): Promise<Entry> {
  const hashes = await Promise.all(chunks.map((chunk) => sha256Hex(new TextEncoder().encode(embeddedText(document, chunk)))));
  const passages: Passage[] = [];
  const readable = chunks.map(({ text }) => isEnglish(text));
  const entry = { document, passages, builtIn, readable: readable.filter(Boolean).length, embedded: 0 };
  for (const [i, chunk] of chunks.entries()) {
    lastKey += 1;
    passages.push({ key: lastKey, entry, chunk, hash: hashes[i] ?? "", readable: readable[i] ?? false });
  }
  return entry;
}

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
