/** Keyword search of other libraries over the same passages. */
import { create, insertMultiple, type Orama, save, search } from "@orama/orama";
import MiniSearch from "minisearch";

/** A passage as the peers index it. */
export interface PeerPassage {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface Peer {
  search(query: string, limit: number): unknown;
  /** Bytes of the serialized index. */
  fileBytes(): number;
}

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

export function miniSearchOver(passages: readonly PeerPassage[]): Peer {
  const index = new MiniSearch<PeerPassage>({ fields: ["title", "text"], storeFields: ["title", "text"] });
  index.addAll(passages);
  return { search: (query, limit) => index.search(query).slice(0, limit), fileBytes: () => bytesOf(index) };
}

export async function oramaOver(passages: readonly PeerPassage[]): Promise<Peer> {
  const database: Orama<{ id: "string"; title: "string"; text: "string" }> = create({
    schema: { id: "string", title: "string", text: "string" },
  });
  await insertMultiple(database, [...passages]);
  return {
    search: (term, limit) => search(database, { term, limit, properties: ["title", "text"] }),
    fileBytes: () => bytesOf(save(database)),
  };
}
