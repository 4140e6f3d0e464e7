/** Version 1 of the index file, which has JSON, float32 vectors and the postings of another keyword index. It is only read. */
import * as z from "zod/mini";
import { hexOf } from "../hash.ts";
import { FormatError } from "./format-error.ts";
import { checkDigest, damaged, maxRepetition, parseJson, withInvalidIndexErrors } from "./index-file.ts";
import { maxDimensions } from "./vector-codes.ts";

/** A passage: `start` up to `end` of its document's text, in UTF-16 code units. */
interface IndexFilePassage {
  readonly start: number;
  readonly end: number;
  readonly headings: readonly string[];
  /** The row of its vector, which passages with the same text share; null when it has none. */
  readonly vector: number | null;
}

interface IndexFileDocument {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly text: string;
  readonly passages: readonly IndexFilePassage[];
}

export interface IndexFile1 {
  /** Of the model that made the vectors. */
  readonly fingerprint: string;
  readonly dimensions: number;
  /** In ascending order of their ids, by UTF-16 code units. */
  readonly documents: readonly IndexFileDocument[];
  readonly vectors: readonly Float32Array[];
}

const digestBytes = 32;
const sections = ["documents", "vectors", "terms"] as const;
type Section = (typeof sections)[number];

/** Offsets of the header's fields, in bytes. Numbers are unsigned, 32 bits, little-endian. */
const at = { dimensions: 12, documents: 16, passages: 20, vectors: 24, fingerprint: 28, sections: 60 };
const sectionEntryBytes = 4 + digestBytes;
const checksumAt = at.sections + sections.length * sectionEntryBytes;
const headerBytes = checksumAt + digestBytes;

const offset = z.int().check(z.nonnegative());
const passageSchema = z.tuple([offset, offset, z.array(z.string()), z.nullable(offset)]);
const documentsSchema = z.array(
  z.strictObject({ id: z.string(), title: z.string(), kind: z.string(), text: z.string(), passages: z.array(passageSchema) }),
);

/** Reads an untrusted file of version 1. Rejects with `damaged_index` or `invalid_index`, as `readIndexFile` does. */
export async function readIndexFile1(file: Uint8Array<ArrayBuffer>): Promise<IndexFile1> {
  if (file.length < headerBytes) throw damaged("it is truncated");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const number = (position: number) => view.getUint32(position, true);
  await checkDigest(file.subarray(0, checksumAt), file.subarray(checksumAt, headerBytes), "its header has a wrong checksum");

  const bodies = {} as Record<Section, Uint8Array<ArrayBuffer>>;
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
    return { fingerprint, dimensions, documents, vectors };
  });
}

function readDocuments(bytes: Uint8Array, vectors: number): IndexFileDocument[] {
  const parsed = documentsSchema.safeParse(parseJson(bytes, "its documents are not JSON"));
  if (!parsed.success) throw new FormatError("its documents do not have the expected fields");
  let previous: string | null = null;
  return parsed.data.map(({ passages, ...document }) => {
    const { id, text } = document;
    if (previous !== null && id <= previous) throw new FormatError("its documents are not in order");
    previous = id;
    if (![id, document.title, text].every((each) => each.isWellFormed()))
      throw new FormatError("it has a text that is not well-formed Unicode");
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

/** The largest difference of a vector's length from 1; float32 rounding is far smaller. */
const normTolerance = 0.01;

function readVectors(bytes: Uint8Array, count: number, dimensions: number): Float32Array[] {
  if (dimensions < 1 || count * dimensions * 4 !== bytes.length) throw new FormatError("its counts are wrong");
  // A file of version 2 could not have them.
  if (dimensions > maxDimensions) throw new FormatError("its vectors have too many dimensions");
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
