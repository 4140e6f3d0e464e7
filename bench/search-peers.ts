/** Keyword search of other libraries over the same passages. All keep the texts, as our index does. */
import { create, insert, type Orama, save, search } from "@orama/orama";
import sqlite from "@sqlite.org/sqlite-wasm";
import MiniSearch from "minisearch";
import { passagesOf } from "../shared/search/library.ts";
import { heapInUse, limit, Stopwatch, timesOf } from "./search-measures.ts";
import type { PeerSize, SearchJob } from "./search-protocol.ts";
import { grownTo } from "./search-texts.ts";

/** A passage as the peers index it. */
interface PeerPassage {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

interface Peer {
  search(query: string): unknown;
  /** Bytes of the serialized index. Throws `RangeError` if it is longer than a string can be. */
  serializedBytes(): number;
  /** Memory of WebAssembly. */
  readonly wasmBytes: number;
}

/** A slow peer is asked fewer queries, so that it has a figure within its time. */
const mostQueryMs = 40_000;

const builders: Record<PeerSize["peer"], (passages: readonly PeerPassage[]) => Peer | Promise<Peer>> = {
  MiniSearch: miniSearchOver,
  Orama: oramaOver,
  "SQLite FTS5": fts5Over,
};

export async function measurePeer(job: SearchJob, name: PeerSize["peer"]): Promise<PeerSize> {
  const before = heapInUse();
  const { peer, passages, buildMs } = await build(job, name);
  const keyword = await timesOf(job, ({ text }) => peer.search(text), mostQueryMs);
  const memoryBytes = heapInUse() - before + peer.wasmBytes;
  return { peer: name, size: job.size, passages, buildMs, keyword, memoryBytes, serializedBytes: serializedBytesOf(peer) };
}

/** The passages stay in memory only as far as the peer keeps them. They are split before the time starts. */
async function build(job: SearchJob, name: PeerSize["peer"]) {
  const passages: PeerPassage[] = [];
  for (const documents of grownTo(job)) {
    for (const document of documents) {
      for (const { start, text } of passagesOf(document)) passages.push({ id: `${document.id} ${start}`, title: document.title, text });
    }
  }
  const building = new Stopwatch();
  const peer = await building.time(() => builders[name](passages));
  return { peer, passages: passages.length, buildMs: building.ms };
}

function serializedBytesOf(peer: Peer): number | null {
  try {
    return peer.serializedBytes();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

function miniSearchOver(passages: readonly PeerPassage[]): Peer {
  const index = new MiniSearch<PeerPassage>({ fields: ["title", "text"], storeFields: ["title", "text"] });
  index.addAll(passages);
  return { search: (query) => index.search(query).slice(0, limit), serializedBytes: () => jsonBytes(index), wasmBytes: 0 };
}

async function oramaOver(passages: readonly PeerPassage[]): Promise<Peer> {
  // Nothing is sorted by a field.
  const index: Orama<{ title: "string"; text: "string" }> = create({
    schema: { title: "string", text: "string" },
    sort: { enabled: false },
  });
  for (const passage of passages) await insert(index, passage);
  return { search: (term) => search(index, { term, limit }), serializedBytes: () => jsonBytes(save(index)), wasmBytes: 0 };
}

async function fts5Over(passages: readonly PeerPassage[]): Promise<Peer> {
  const { oo1, capi, wasm } = await sqlite();
  const database = new oo1.DB(":memory:");
  database.exec("CREATE VIRTUAL TABLE passages USING fts5(title, text, tokenize = 'porter unicode61')");
  database.transaction(() => {
    const row = database.prepare("INSERT INTO passages VALUES (?, ?)");
    for (const { title, text } of passages) row.bind([title, text]).stepReset();
    row.finalize();
  });
  const select = `SELECT title, text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ${limit}`;
  return {
    search(query) {
      // Any of the words, as the others search.
      const words = query.match(/[\p{L}\p{N}]+/gu) ?? [];
      return database.exec(select, { bind: [words.map((word) => `"${word}"`).join(" OR ")], returnValue: "resultRows" });
    },
    serializedBytes: () => capi.sqlite3_js_db_export(database).length,
    wasmBytes: wasm.heap8().length,
  };
}
