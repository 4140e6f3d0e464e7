/**
 * The index file: documents, vectors and the keyword index in one file, for the page and for Node. docs/index-file.md describes the
 * format. The same contents give the same bytes.
 */
import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";
import { FormatError } from "../index/bytes.ts";
import { type Document, packVectors } from "./library.ts";

/** A passage: `start` up to `end` of its document's text, in UTF-16 code units. */
interface IndexFilePassage {
  readonly start: number;
  readonly end: number;
  readonly headings: readonly string[];
  /** The row of its vector, which passages with the same text share; null when it has none. */
  readonly vector: number | null;
}

export interface IndexFileDocument extends Document {
  readonly passages: readonly IndexFilePassage[];
}

export interface IndexContents {
  /** Of the model that made the vectors. */
  readonly fingerprint: string;
  readonly dimensions: number;
  /** In ascending order of their ids, by UTF-16 code units. */
  readonly documents: readonly IndexFileDocument[];
  readonly vectors: readonly Float32Array[];
  /** The keyword index: `LexicalIndex.toBytes` of all passages in order. */
  readonly terms: Uint8Array<ArrayBuffer>;
}

const magic = new TextEncoder().encode("samevec\0");
const version = 1;
const digestBytes = 32;
const sections = ["documents", "vectors", "terms"] as const;
type Section = (typeof sections)[number];

/** Offsets of the header's fields, in bytes. Numbers are unsigned, 32 bits, little-endian. */
const at = { version: 8, dimensions: 12, documents: 16, passages: 20, vectors: 24, fingerprint: 28, sections: 60 };
const sectionEntryBytes = 4 + digestBytes;
const checksumAt = at.sections + sections.length * sectionEntryBytes;
const headerBytes = checksumAt + digestBytes;

const offset = z.int().check(z.nonnegative());
const passageSchema = z.tuple([offset, offset, z.array(z.string()), z.nullable(offset)]);
const documentsSchema = z.array(
  z.strictObject({ id: z.string(), title: z.string(), kind: z.string(), text: z.string(), passages: z.array(passageSchema) }),
);

export async function writeIndexFile(contents: IndexContents): Promise<Uint8Array<ArrayBuffer>> {
  const { fingerprint, dimensions, documents, vectors, terms } = contents;
  const bodies: { readonly [section in Section]: Uint8Array<ArrayBuffer> } = {
    documents: new TextEncoder().encode(
      JSON.stringify(
        documents.map(({ id, title, kind, text, passages }) => ({
          ...{ id, title, kind, text },
          passages: passages.map(({ start, end, headings, vector }) => [start, end, headings, vector]),
        })),
      ),
    ),
    vectors: packVectors(vectors),
    terms,
  };
  const file = new Uint8Array(headerBytes + sections.reduce((bytes, name) => bytes + bodies[name].length, 0));
  const view = new DataView(file.buffer);
  file.set(magic);
  view.setUint32(at.version, version, true);
  view.setUint32(at.dimensions, dimensions, true);
  view.setUint32(at.documents, documents.length, true);
  view.setUint32(
    at.passages,
    documents.reduce((sum, { passages }) => sum + passages.length, 0),
    true,
  );
  view.setUint32(at.vectors, vectors.length, true);
  file.set(bytesOfHex(fingerprint), at.fingerprint);
  let position = headerBytes;
  for (const [place, name] of sections.entries()) {
    const entry = at.sections + place * sectionEntryBytes;
    view.setUint32(entry, bodies[name].length, true);
    file.set(await sha256(bodies[name]), entry + 4);
    file.set(bodies[name], position);
    position += bodies[name].length;
  }
  file.set(await sha256(file.slice(0, checksumAt)), checksumAt);
  return file;
}

/**
 * Reads an untrusted index file: checks every checksum, count and offset, and takes memory in proportion to the file's size. Rejects
 * with `not_an_index` (another signature), `unknown_index_version` (a later version), `damaged_index` (truncated or changed) or
 * `invalid_index` (right checksums, inconsistent contents). Messages contain nothing of the file's contents.
 *
 * `LexicalIndex.fromBytes` checks the keyword index when it reads it; {@link withInvalidIndexErrors} converts its errors.
 */
export async function readIndexFile(file: Uint8Array<ArrayBuffer>): Promise<IndexContents> {
  if (file.length < magic.length || !magic.every((byte, i) => file[i] === byte)) {
    throw new EncoderError("not_an_index", "This is not an index file of Samevec");
  }
  if (file.length < headerBytes) throw damaged("it is truncated");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const number = (position: number) => view.getUint32(position, true);
  const found = number(at.version);
  // Before the checksum, whose offset may differ in a later version.
  if (found > version)
    throw new EncoderError("unknown_index_version", `The index file has version ${found}; this program reads version ${version}`);
  await checkDigest(file.subarray(0, checksumAt), file.subarray(checksumAt, headerBytes), "its header has a wrong checksum");

  const bodies = {} as Record<Section, Uint8Array>;
  let position = headerBytes;
  for (const [place, name] of sections.entries()) {
    const length = number(at.sections + place * sectionEntryBytes);
    bodies[name] = file.subarray(position, position + length);
    position += length;
  }
  if (position !== file.length) throw damaged(`it has ${file.length} bytes, not ${position}`);
  for (const [place, name] of sections.entries()) {
    const digest = at.sections + place * sectionEntryBytes + 4;
    await checkDigest(bodies[name], file.subarray(digest, digest + digestBytes), `its ${name} have a wrong checksum`);
  }

  return withInvalidIndexErrors(() => {
    const dimensions = number(at.dimensions);
    const vectors = readVectors(bodies.vectors, number(at.vectors), dimensions);
    const documents = readDocuments(bodies.documents, vectors.length);
    const passages = documents.reduce((sum, document) => sum + document.passages.length, 0);
    if (documents.length !== number(at.documents) || passages !== number(at.passages)) throw new FormatError("its counts are wrong");
    const fingerprint = hexOf(file.subarray(at.fingerprint, at.fingerprint + digestBytes));
    return { fingerprint, dimensions, documents, vectors, terms: bodies.terms.slice() };
  });
}

/** Calls `read`. A {@link FormatError} becomes `invalid_index`. */
export function withInvalidIndexErrors<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new EncoderError("invalid_index", `The index file is not valid: ${error.message}`, {}, { cause: error });
  }
}

/** The largest sum of a document's passages, in lengths of its text. Chunks repeat far less; memory for passages is bounded. */
const maxRepetition = 4;

function readDocuments(bytes: Uint8Array, vectors: number): IndexFileDocument[] {
  const parsed = documentsSchema.safeParse(jsonOf(bytes));
  if (!parsed.success) throw new FormatError("its documents do not have the expected fields");
  let previous: string | null = null;
  return parsed.data.map(({ passages, ...document }) => {
    const { id, text } = document;
    if (previous !== null && id <= previous) throw new FormatError("its documents are not in order");
    previous = id;
    if (!(text.isWellFormed() && document.title.isWellFormed())) throw new FormatError("it has a text that is not well-formed Unicode");
    let lastStart = -1;
    let characters = 0;
    return {
      ...document,
      passages: passages.map(([start, end, headings, vector]) => {
        if (start <= lastStart || end <= start || end > text.length) throw new FormatError("a passage lies outside of its text");
        if (vector !== null && vector >= vectors) throw new FormatError("a passage names a vector that does not exist");
        if (!headings.every((heading) => heading.isWellFormed())) throw new FormatError("it has a text that is not well-formed Unicode");
        characters += end - start;
        if (characters > maxRepetition * text.length) throw new FormatError("its passages overlap too much");
        lastStart = start;
        return { start, end, headings, vector };
      }),
    };
  });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FormatError("its documents are not JSON", { cause: error });
  }
}

/** The largest difference of a vector's length from 1; float32 rounding is far smaller. */
const normTolerance = 0.01;

function readVectors(bytes: Uint8Array, count: number, dimensions: number): Float32Array[] {
  if (dimensions < 1 || count * dimensions * 4 !== bytes.length) throw new FormatError("its counts are wrong");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = new Float32Array(count * dimensions);
  for (let i = 0; i < all.length; i++) all[i] = view.getFloat32(4 * i, true);
  return Array.from({ length: count }, (_, row) => {
    const vector = all.subarray(row * dimensions, (row + 1) * dimensions);
    const norm = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0));
    if (!(Math.abs(norm - 1) <= normTolerance)) throw new FormatError("it has a vector that is not normalized");
    return vector;
  });
}

async function checkDigest(bytes: Uint8Array, digest: Uint8Array, otherwise: string): Promise<void> {
  const found = await sha256(bytes);
  if (!found.every((byte, i) => byte === digest[i])) throw damaged(otherwise);
}

const damaged = (reason: string) => new EncoderError("damaged_index", `The index file is damaged: ${reason}`);

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
