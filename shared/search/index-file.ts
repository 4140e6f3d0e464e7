/**
 * The index file: documents, their vectors and their words in one file, which page and Node exchange. Its format is told
 * in docs/index-file.md; the same contents give the same bytes.
 */
import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";
import { FormatError } from "./bytes.ts";
import { type Document, packVectors } from "./library.ts";

/** A passage: from `start` up to `end` of its document's text, in UTF-16 code units. */
interface FiledPassage {
  readonly start: number;
  readonly end: number;
  readonly headings: readonly string[];
  /** The row of its vector, which other passages of the same words may share; null while it has none. */
  readonly vector: number | null;
}

export interface FiledDocument extends Document {
  readonly passages: readonly FiledPassage[];
}

export interface IndexContents {
  /** Of the model that made the vectors. */
  readonly fingerprint: string;
  readonly dimensions: number;
  /** In ascending order of their ids, by UTF-16 code units. */
  readonly documents: readonly FiledDocument[];
  readonly vectors: readonly Float32Array[];
  /** The index of words: `LexicalIndex.toBytes` of all passages in order. */
  readonly words: Uint8Array<ArrayBuffer>;
}

const magic = new TextEncoder().encode("samevec\0");
const version = 1;
const digestBytes = 32;
const sections = ["documents", "vectors", "words"] as const;
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
  const { fingerprint, dimensions, documents, vectors, words } = contents;
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
    words,
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
 * Reads what {@link writeIndexFile} wrote, and trusts none of it: every checksum, count and offset is checked, and no
 * more memory is taken than the file itself calls for. Rejects with `not_an_index` (it does not begin as one does),
 * `unknown_index_version` (a later version wrote it), `damaged_index` (it was cut off or changed after it was written) or
 * `invalid_index` (its checksums are right, but what it says cannot be). Messages tell nothing of what the file holds.
 *
 * The words are checked when `LexicalIndex.fromBytes` reads them: {@link refusingFormatErrors} makes its errors the same.
 */
export async function readIndexFile(file: Uint8Array<ArrayBuffer>): Promise<IndexContents> {
  if (file.length < magic.length || !magic.every((byte, i) => file[i] === byte)) {
    throw new EncoderError("not_an_index", "This is not an index file of Samevec");
  }
  if (file.length < headerBytes) throw damaged("it is cut off");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const number = (position: number) => view.getUint32(position, true);
  const found = number(at.version);
  // Before the checksum, whose place may be another one in a later version.
  if (found > version)
    throw new EncoderError("unknown_index_version", `The index file has version ${found}; this program reads version ${version}`);
  await checkDigest(file.subarray(0, checksumAt), file.subarray(checksumAt, headerBytes), "its header was changed");

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
    await checkDigest(bodies[name], file.subarray(digest, digest + digestBytes), `its ${name} were changed`);
  }

  return refusingFormatErrors(() => {
    const dimensions = number(at.dimensions);
    const vectors = readVectors(bodies.vectors, number(at.vectors), dimensions);
    const documents = readDocuments(bodies.documents, vectors.length);
    const passages = documents.reduce((sum, document) => sum + document.passages.length, 0);
    if (documents.length !== number(at.documents) || passages !== number(at.passages)) throw new FormatError("its counts are wrong");
    const fingerprint = hexOf(file.subarray(at.fingerprint, at.fingerprint + digestBytes));
    return { fingerprint, dimensions, documents, vectors, words: bodies.words.slice() };
  });
}

/** What `read` gives. A {@link FormatError} becomes `invalid_index`. */
export function refusingFormatErrors<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new EncoderError("invalid_index", `The index file is not valid: ${error.message}`, {}, { cause: error });
  }
}

function readDocuments(bytes: Uint8Array, vectors: number): FiledDocument[] {
  const parsed = documentsSchema.safeParse(jsonOf(bytes));
  if (!parsed.success) throw new FormatError("its documents are not described as they should be");
  let previous: string | null = null;
  return parsed.data.map(({ passages, ...document }) => {
    const { id, text } = document;
    if (previous !== null && id <= previous) throw new FormatError("its documents are not in order");
    previous = id;
    if (!(text.isWellFormed() && document.title.isWellFormed())) throw new FormatError("a text in it is not Unicode");
    let lastStart = -1;
    return {
      ...document,
      passages: passages.map(([start, end, headings, vector]) => {
        if (start <= lastStart || end <= start || end > text.length) throw new FormatError("a passage lies outside of its text");
        if (vector !== null && vector >= vectors) throw new FormatError("a passage names a vector that is not there");
        if (!headings.every((heading) => heading.isWellFormed())) throw new FormatError("a text in it is not Unicode");
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
    throw new FormatError("its documents cannot be read", { cause: error });
  }
}

/** How far the length of a vector may be from 1: float32 leaves it far nearer. */
const normTolerance = 0.01;

function readVectors(bytes: Uint8Array, count: number, dimensions: number): Float32Array[] {
  if (dimensions < 1 || count * dimensions * 4 !== bytes.length) throw new FormatError("its counts are wrong");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = new Float32Array(count * dimensions);
  for (let i = 0; i < all.length; i++) all[i] = view.getFloat32(4 * i, true);
  return Array.from({ length: count }, (_, row) => {
    const vector = all.subarray(row * dimensions, (row + 1) * dimensions);
    const norm = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0));
    if (!(Math.abs(norm - 1) <= normTolerance)) throw new FormatError("a vector in it is not of length 1");
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
