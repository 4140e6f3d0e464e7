/**
 * Collections in IndexedDB: their records, documents, and vectors in blocks. Each change is one transaction, so a tab can be killed at
 * any time.
 */
import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import { codeBytesOf, geometryOf, type VectorCode, VectorCodec } from "../../shared/index/vector-codes.ts";
import type { IndexStore, IndexVectors, StoredDocument } from "../../shared/search/index-store.ts";
import { type ChunkedDocument, chunkedDocumentOf, type Entry, type Passage } from "../../shared/search/passages.ts";
import type { CollectionState } from "./service.ts";

/** A connected folder, and the state of its files when they were read. */
export interface FollowedFolder {
  readonly handle: FileSystemDirectoryHandle;
  /** By path. */
  readonly files: Readonly<Record<string, FileStamp>>;
}

export interface FileStamp {
  readonly size: number;
  /** ms since 1970. */
  readonly modified: number;
}

export interface CollectionRecord extends Pick<CollectionState, "id" | "name" | "documents" | "passages" | "coverage" | "bytes"> {
  /** Creation time, ms since 1970. Collections are listed in this order. */
  readonly made: number;
  /** Of the model that made the stored vectors; null before the first. */
  readonly fingerprint: string | null;
  /** Whether it is being embedded again. Missing in records of an earlier version. */
  readonly modelChanged?: boolean;
  /** Whether embedding is paused. Missing in records of an earlier version. */
  readonly paused?: boolean;
  readonly folder: FollowedFolder | null;
}

/** The codes of the vectors of up to {@link passagesPerBlock} passages of a document, and their scales; 0 for a missing vector. */
interface CodeBlock {
  readonly dimensions: number;
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

/** A block of an earlier release: the vectors, one row each; zeros for a missing one. */
interface VectorBlock {
  readonly dimensions: number;
  readonly rows: Float32Array<ArrayBuffer>;
}

interface Schema extends DBSchema {
  collections: { key: string; value: CollectionRecord };
  /** By collection and the document's id. */
  documents: { key: [string, string]; value: ChunkedDocument };
  /** By collection, document id and position of the block. */
  vectors: { key: [string, string, number]; value: CodeBlock | VectorBlock };
}

const version = 1;
const passagesPerBlock = 64;
const documentsPerRead = 50;

/** Sorts after every key: IndexedDB orders arrays after numbers and strings. */
const last: never[] = [];

/** The store and its collections, oldest first. Without a store, nothing is kept. */
export interface OpenedStore {
  readonly store: CollectionStore | null;
  readonly records: CollectionRecord[];
  /** Why stored documents cannot be read, for the visitor; null if there may be none, as in some private windows. */
  readonly problem: string | null;
}

function problemOf(error: unknown): string | null {
  const name = error instanceof DOMException ? error.name : "";
  // Browsers without storage, or with storage that is switched off.
  if (!globalThis.indexedDB || name === "SecurityError" || name === "InvalidStateError") return null;
  if (name === "VersionError") return "A newer version of this page has stored your documents. Reload the page to open them.";
  return "The browser could not open the stored documents. They are not lost: reload the page, or restart the browser.";
}

export class CollectionStore {
  readonly #database: IDBPDatabase<Schema>;
  readonly #onProblem: (problem: string | null) => void;
  /** For vectors that an earlier release stored. */
  #codec: VectorCodec | null = null;

  private constructor(database: IDBPDatabase<Schema>, onProblem: (problem: string | null) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
  }

  /**
   * Opens or creates the database.
   * @param onProblem called with a message for the visitor when something could not be stored, and with null when it could again
   */
  static async open(name: string, onProblem: (problem: string | null) => void): Promise<OpenedStore> {
    try {
      const database = await openDB<Schema>(name, version, {
        // One step per version.
        upgrade(database, from) {
          if (from < 1) {
            database.createObjectStore("collections", { keyPath: "id" });
            database.createObjectStore("documents");
            database.createObjectStore("vectors");
          }
        },
        // A newer version of the page in another tab must not wait for this one.
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      });
      const records = await database.getAll("collections");
      records.sort((a, b) => a.made - b.made);
      return { store: new CollectionStore(database, onProblem), records, problem: null };
    } catch (error) {
      return { store: null, records: [], problem: problemOf(error) };
    }
  }

  /** Stores a record without its fingerprint, which {@link indexStore} changes together with the vectors. */
  async putCollection(record: CollectionRecord): Promise<void> {
    await this.#write(async () => {
      const transaction = this.#database.transaction("collections", "readwrite");
      const { fingerprint = null } = (await transaction.store.get(record.id)) ?? {};
      await finished(transaction, [transaction.store.put({ ...record, fingerprint })]);
    });
  }

  async deleteCollection(id: string): Promise<void> {
    await this.#write(async () => {
      const transaction = this.#database.transaction(["collections", "documents", "vectors"], "readwrite");
      await finished(transaction, [
        transaction.objectStore("collections").delete(id),
        transaction.objectStore("documents").delete(IDBKeyRange.bound([id], [id, last])),
        transaction.objectStore("vectors").delete(IDBKeyRange.bound([id], [id, last])),
      ]);
    });
  }

  /** The documents of a collection in batches, by id. */
  async *documents(collection: string): AsyncIterable<StoredDocument[]> {
    let after: [string, string] | [string] = [collection];
    for (;;) {
      const range = IDBKeyRange.bound(after, [collection, last], true);
      const transaction = this.#database.transaction(["documents", "vectors"]);
      const documents = await transaction.objectStore("documents").getAll(range, documentsPerRead);
      const [first, end] = [documents[0], documents.at(-1)];
      if (!(first && end)) return;
      const blocks = IDBKeyRange.bound([collection, first.document.id], [collection, end.document.id, last]);
      const [keys, values] = await Promise.all([
        transaction.objectStore("vectors").getAllKeys(blocks),
        transaction.objectStore("vectors").getAll(blocks),
      ]);
      const byPlace = new Map(keys.map(([, id, place], i) => [`${place} ${id}`, values[i]]));
      yield documents.map((document) => {
        const blockAt = (place: number) => byPlace.get(`${place} ${document.document.id}`);
        return {
          ...document,
          dimensions:
            placesOf(document)
              .map((place) => blockAt(place)?.dimensions)
              .find((dimensions) => dimensions !== undefined) ?? null,
          codes: document.passages.map((_, i) => this.#codeIn(blockAt(Math.floor(i / passagesPerBlock)), i % passagesPerBlock)),
        };
      });
      after = [collection, end.document.id];
    }
  }

  /** The code in a row of a block, encoded if an earlier release stored the vector. */
  #codeIn(block: CodeBlock | VectorBlock | undefined, row: number): VectorCode | null {
    if (!block) return null;
    const { dimensions } = block;
    if ("codes" in block) {
      const bytes = codeBytesOf({ dimensions });
      const scale = block.scales[row] ?? 0;
      return scale === 0 ? null : { code: block.codes.slice(row * bytes, (row + 1) * bytes), scale };
    }
    const vector = block.rows.subarray(row * dimensions, (row + 1) * dimensions);
    if (this.#codec?.geometry.dimensions !== dimensions) this.#codec = new VectorCodec(geometryOf(dimensions));
    return vector.some((component) => component !== 0) ? this.#codec.encode(vector) : null;
  }

  /** The store of a collection's documents and vectors. */
  indexStore(collection: string): IndexStore {
    const stores = ["collections", "documents", "vectors"] as const;
    return {
      putDocuments: (entries, vectors) =>
        this.#write(async () => {
          const blocks = entries.flatMap((entry) => blocksOf(entry, placesOf(entry), vectors));
          const transaction = this.#database.transaction(stores, "readwrite");
          const [documents, blockStore] = [transaction.objectStore("documents"), transaction.objectStore("vectors")];
          if (blocks.length > 0) await ensureOneModel(transaction, collection, vectors.fingerprint);
          const writes: Promise<unknown>[] = [];
          for (const entry of entries) {
            const { id } = entry.document;
            writes.push(documents.put(chunkedDocumentOf(entry), [collection, id]));
            writes.push(blockStore.delete(IDBKeyRange.bound([collection, id], [collection, id, last])));
          }
          for (const { id, place, block } of blocks) writes.push(blockStore.put(block, [collection, id, place]));
          await finished(transaction, writes);
        }),

      putVectors: (passages, vectors) =>
        this.#write(async () => {
          const places = new Map<Entry, Set<number>>();
          for (const passage of passages) {
            const place = Math.floor(passage.entry.passages.indexOf(passage) / passagesPerBlock);
            places.set(passage.entry, (places.get(passage.entry) ?? new Set()).add(place));
          }
          const blocks = [...places].flatMap(([entry, ofEntry]) => blocksOf(entry, ofEntry, vectors));
          const transaction = this.#database.transaction(stores, "readwrite");
          await ensureOneModel(transaction, collection, vectors.fingerprint);
          const writes: Promise<unknown>[] = [];
          for (const { id, place, block } of blocks) {
            // The document was removed, or could not be stored.
            if ((await transaction.objectStore("documents").getKey([collection, id])) === undefined) continue;
            writes.push(transaction.objectStore("vectors").put(block, [collection, id, place]));
          }
          await finished(transaction, writes);
        }),

      removeDocuments: (ids) =>
        this.#write(async () => {
          const transaction = this.#database.transaction(["documents", "vectors"], "readwrite");
          const writes = ids.flatMap((id) => [
            transaction.objectStore("documents").delete([collection, id]),
            transaction.objectStore("vectors").delete(IDBKeyRange.bound([collection, id], [collection, id, last])),
          ]);
          await finished(transaction, writes);
        }),
    };
  }

  /** Reports a failed write. Its documents stay searchable until the tab is closed. */
  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#onProblem(null);
    } catch (error) {
      const full = error instanceof DOMException && error.name === "QuotaExceededError";
      this.#onProblem(
        full
          ? "The browser's storage is full: the latest documents are searchable, but lost when this tab is closed. Remove documents or a collection, or free disk space."
          : "The browser could not store the latest documents: they are searchable, but lost when this tab is closed.",
      );
    }
  }
}

/**
 * Waits for a transaction. Rejects with the transaction's error, such as `QuotaExceededError`: writes that it has ended reject earlier, with
 * `AbortError`, which does not name the reason.
 */
async function finished(transaction: { readonly done: Promise<void> }, writes: readonly Promise<unknown>[]): Promise<void> {
  const [done] = await Promise.allSettled([transaction.done, ...writes]);
  if (done.status === "rejected") throw done.reason;
}

/**
 * Ensures that all stored vectors of a collection are of one model: deletes those of another model and updates the record, in the same
 * transaction.
 */
async function ensureOneModel(
  transaction: IDBPTransaction<Schema, ("collections" | "documents" | "vectors")[], "readwrite">,
  collection: string,
  fingerprint: string | null,
): Promise<void> {
  const record = await transaction.objectStore("collections").get(collection);
  if (!record || record.fingerprint === fingerprint) return;
  await Promise.all([
    transaction.objectStore("collections").put({ ...record, fingerprint }),
    transaction.objectStore("vectors").delete(IDBKeyRange.bound([collection], [collection, last])),
  ]);
}

const placesOf = ({ passages }: { readonly passages: readonly unknown[] }): number[] =>
  Array.from({ length: Math.ceil(passages.length / passagesPerBlock) }, (_, place) => place);

/** The blocks at these positions that contain a vector. */
function blocksOf({ document, passages }: Entry, places: Iterable<number>, { dimensions, codeOf }: IndexVectors) {
  const blocks: { readonly id: string; readonly place: number; readonly block: CodeBlock }[] = [];
  for (const place of places) {
    const ofBlock = passages.slice(place * passagesPerBlock, (place + 1) * passagesPerBlock);
    const found = ofBlock.map(({ hash }: Passage) => codeOf(hash));
    const bytes = found.find((code) => code !== null)?.code.length;
    if (bytes === undefined) continue;
    const codes = new Uint8Array(ofBlock.length * bytes);
    const scales = new Float32Array(ofBlock.length);
    for (const [i, code] of found.entries()) {
      if (!code) continue;
      codes.set(code.code, i * bytes);
      scales[i] = code.scale;
    }
    blocks.push({ id: document.id, place, block: { dimensions, codes, scales } });
  }
  return blocks;
}
