import { type IndexFile, readIndexFile, versionOf } from "../index/index-file.ts";
import { readIndexFile1 } from "../index/index-file-1.ts";
import { SegmentBuilder } from "../index/segment-builder.ts";
import { geometryOf, type VectorCode, VectorCodec } from "../index/vector-codes.ts";
import { chunkDocument, entryOf, indexDocumentOf } from "./passages.ts";

/** Reads an untrusted index file. A file of version 1 is converted. Rejects as {@link readIndexFile} does. */
export async function openIndexFile(file: Uint8Array<ArrayBuffer>): Promise<IndexFile> {
  if (versionOf(file) !== 1) return readIndexFile(file);
  const { fingerprint, dimensions, documents, vectors } = await readIndexFile1(file);
  const geometry = vectors.length > 0 ? geometryOf(dimensions) : null;
  const codec = geometry && new VectorCodec(geometry);
  const builder = new SegmentBuilder();
  for (const { passages: chunks, ...document } of documents) {
    // A passage with a vector was readable when the file was written.
    const known = chunks.map(({ vector, ...chunk }) => (vector === null ? chunk : { ...chunk, readable: true }));
    const entry = entryOf(await chunkDocument(document, known));
    const codes = new Map<string, VectorCode>();
    for (const [i, { hash }] of entry.passages.entries()) {
      const vector = vectors[chunks[i]?.vector ?? -1];
      if (codec && vector) codes.set(hash, codec.encode(vector));
    }
    builder.add(indexDocumentOf(entry, (hash) => codes.get(hash) ?? null));
  }
  return { fingerprint, geometry, segments: documents.length > 0 ? [builder.finish(geometry)] : [] };
}
