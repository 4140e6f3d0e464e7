/**
 * Collections in IndexedDB: what they are, their documents, and their vectors in blocks. Each change is one transaction: a
 * tab may be killed at any time and leaves nothing half-written.
 */
import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import type { IndexStore, StoredDocument, VectorOf } from "../../shared/search/index-store.ts";
import { type ChunkedDocument, chunkedDocumentOf, type Entry, type Passage } from "../../shared/search/passages.ts";
import type { CollectionState } from "./service.ts";

/** A folder of the disk, and how its files were when they were read. */
export interface FollowedFolder {
  readonly handle: FileSystemDirectoryHandle;
  /** By their paths. */
  readonly files: Readonly<Record<string, FileStamp>>;
}

export interface FileStamp {
  readonly size: number;
  /** ms since 1970. */
  readonly modified: number;
}

export interface CollectionRecord extends Pick<CollectionState, "id" | "name" | "documents" | "passages" | "coverage" | "bytes"> {
  /** ms since 1970: collections are listed in the order of their making. */
  readonly made: number;
  /** Of the model that made all vectors that are kept; null before the first. */
  readonly fingerprint: string | null;
  /** Whether it is being embedded anew. Missing where an earlier version made the record. */
  readonly modelChanged?: boolean;
  readonly folder: FollowedFolder | null;
}

/** The vectors of up to {@link passagesPerBlock} passages of a document: one row each, of zeros where there is none yet. */
interface VectorBlock {
  readonly dimensions: number;
  readonly rows: Float32Array<ArrayBuffer>;
}

interface Schema extends DBSchema {
  collections: { key: string; value: CollectionRecord };
  /** By collection and the document's id. */
  documents: { key: [string, string]; value: ChunkedDocument };
  /** By collection, the document's id and the block's place. */
  vectors: { key: [string, string, number]; value: VectorBlock };
}

const version = 1;
const passagesPerBlock = 64;
const documentsPerRead = 50;

/** Greater than all that a key may have in its place: arrays come after numbers and strings. */
const last: never[] = [];

export class CollectionStore {
  readonly #database: IDBPDatabase<Schema>;
  readonly #onProblem: (problem: string | null) => void;

  private constructor(database: IDBPDatabase<Schema>, onProblem: (problem: string | null) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
  }

  /**
   * Opens the database, or makes it. Null where the browser keeps nothing, as some do in private windows.
   * @param onProblem told, in a sentence for the visitor, why something could not be kept; null when it could again
   */
  static async open(name: string, onProblem: (problem: string | null) => void): Promise<CollectionStore | null> {
    try {
      const database = await openDB<Schema>(name, version, {
        // One case for each version from which an upgrade begins; each goes on to the next.
        upgrade(database, from) {
          if (from < 1) {
            database.createObjectStore("collections", { keyPath: "id" });
            database.createObjectStore("documents");
            database.createObjectStore("vectors");
          }
        },
        // A newer version of the page waits in another tab: it must not wait for this one.
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      });
      return new CollectionStore(database, onProblem);
    } catch {
      return null;
    }
  }

  async collections(): Promise<CollectionRecord[]> {
    const records = await this.#database.getAll("collections");
    return records.sort((a, b) => a.made - b.made);
  }

  /** Keeps a record, but for its fingerprint: that changes with the vectors that are kept, by {@link indexStore} alone. */
  async putCollection(record: CollectionRecord): Promise<void> {
    await this.#keep(async () => {
      const transaction = this.#database.transaction("collections", "readwrite");
      const { fingerprint = null } = (await transaction.store.get(record.id)) ?? {};
      await finished(transaction, [transaction.store.put({ ...record, fingerprint })]);
    });
  }

  async deleteCollection(id: string): Promise<void> {
    await this.#keep(async () => {
      const transaction = this.#database.transaction(["collections", "documents", "vectors"], "readwrite");
      await finished(transaction, [
        transaction.objectStore("collections").delete(id),
        transaction.objectStore("documents").delete(IDBKeyRange.bound([id], [id, last])),
        transaction.objectStore("vectors").delete(IDBKeyRange.bound([id], [id, last])),
      ]);
    });
  }

  /** The documents of a collection, some at a time, in the order of their ids. */
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
      yield documents.map((document) => ({
        ...document,
        vectors: document.passages.map((_, i) =>
          rowOf(byPlace.get(`${Math.floor(i / passagesPerBlock)} ${document.document.id}`), i % passagesPerBlock),
        ),
      }));
      after = [collection, end.document.id];
    }
  }

  /** Keeps the documents and vectors of a collection. */
  indexStore(collection: string): IndexStore {
    const stores = ["collections", "documents", "vectors"] as const;
    return {
      putDocuments: (entries, vectorOf, fingerprint) =>
        this.#keep(async () => {
          const blocks = entries.flatMap((entry) => blocksOf(entry, placesOf(entry), vectorOf));
          const transaction = this.#database.transaction(stores, "readwrite");
          const [documents, vectors] = [transaction.objectStore("documents"), transaction.objectStore("vectors")];
          if (blocks.length > 0) await keepVectorsOfOneModel(transaction, collection, fingerprint);
          const writes: Promise<unknown>[] = [];
          for (const entry of entries) {
            const { id } = entry.document;
            writes.push(documents.put(chunkedDocumentOf(entry), [collection, id]));
            writes.push(vectors.delete(IDBKeyRange.bound([collection, id], [collection, id, last])));
          }
          for (const { id, place, block } of blocks) writes.push(vectors.put(block, [collection, id, place]));
          await finished(transaction, writes);
        }),

      putVectors: (passages, vectorOf, fingerprint) =>
        this.#keep(async () => {
          const places = new Map<Entry, Set<number>>();
          for (const passage of passages) {
            const place = Math.floor(passage.entry.passages.indexOf(passage) / passagesPerBlock);
            places.set(passage.entry, (places.get(passage.entry) ?? new Set()).add(place));
          }
          const blocks = [...places].flatMap(([entry, ofEntry]) => blocksOf(entry, ofEntry, vectorOf));
          const transaction = this.#database.transaction(stores, "readwrite");
          await keepVectorsOfOneModel(transaction, collection, fingerprint);
          const writes: Promise<unknown>[] = [];
          for (const { id, place, block } of blocks) {
            // Removed since, or not kept for want of room: its vectors would belong to nothing.
            if ((await transaction.objectStore("documents").getKey([collection, id])) === undefined) continue;
            writes.push(transaction.objectStore("vectors").put(block, [collection, id, place]));
          }
          await finished(transaction, writes);
        }),

      removeDocuments: (ids) =>
        this.#keep(async () => {
          const transaction = this.#database.transaction(["documents", "vectors"], "readwrite");
          const writes = ids.flatMap((id) => [
            transaction.objectStore("documents").delete([collection, id]),
            transaction.objectStore("vectors").delete(IDBKeyRange.bound([collection, id], [collection, id, last])),
          ]);
          await finished(transaction, writes);
        }),
    };
  }

  /** What cannot be kept is told, and is there until the tab is closed. */
  async #keep(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#onProblem(null);
    } catch (error) {
      const full = error instanceof DOMException && error.name === "QuotaExceededError";
      this.#onProblem(
        full
          ? "The browser has no room left: what came last is searched, but gone when this tab is closed. Remove documents or a collection, or free space on the disk."
          : "The browser could not keep what came last: it is searched, but gone when this tab is closed.",
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
 * Sees to it that all vectors of a collection that are kept are of the model that makes those that come: the others go, and the
 * record names the new model, in the same transaction.
 */
async function keepVectorsOfOneModel(
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

const placesOf = ({ passages }: Entry): number[] =>
  Array.from({ length: Math.ceil(passages.length / passagesPerBlock) }, (_, place) => place);

/** The blocks at these places in which a passage has a vector. */
function blocksOf({ document, passages }: Entry, places: Iterable<number>, vectorOf: VectorOf) {
  const blocks: { readonly id: string; readonly place: number; readonly block: VectorBlock }[] = [];
  for (const place of places) {
    const ofBlock = passages.slice(place * passagesPerBlock, (place + 1) * passagesPerBlock);
    const vectors = ofBlock.map(({ hash }: Passage) => vectorOf(hash));
    const dimensions = vectors.find((vector) => vector !== null)?.length;
    if (dimensions === undefined) continue;
    const rows = new Float32Array(ofBlock.length * dimensions);
    for (const [i, vector] of vectors.entries()) if (vector) rows.set(vector, i * dimensions);
    blocks.push({ id: document.id, place, block: { dimensions, rows } });
  }
  return blocks;
}

function rowOf(block: VectorBlock | undefined, row: number): Float32Array | null {
  const vector = block?.rows.subarray(row * block.dimensions, (row + 1) * block.dimensions);
  return vector?.some((component) => component !== 0) ? vector : null;
}
