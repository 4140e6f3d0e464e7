import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";
import { sha256, sha256Hex } from "../hash.ts";
import { compareBytes } from "./byte-arrays.ts";
import { FormatError } from "./format-error.ts";
import { checkPostings } from "./postings.ts";
import { hashBytes, Segment, type SegmentArrays } from "./segment.ts";
import { checkTexts } from "./texts.ts";
import { type CodeGeometry, codeBytesOf, maxDimensions } from "./vector-codes.ts";

/** The format is described in docs/index-file.md. */
const magic = new TextEncoder().encode("samevec\0");

/** The version that is written. Version 1 is read by index-file-1.ts. */
const indexFileVersion = 2;

/** Bytes before the header: signature, version, length of the header and its SHA-256. */
const fixedBytes = 48;
const at = { version: 8, headerLength: 12, digest: 16 } as const;

/** Sections start at multiples of this, so that they can be used as typed arrays. */
const alignment = 8;

/** The arrays of a segment in the order of the file. */
const sectionTypes = {
  idBytes: Uint8Array,
  idOffsets: Uint32Array,
  titleBytes: Uint8Array,
  titleOffsets: Uint32Array,
  fieldBytes: Uint8Array,
  fieldOffsets: Uint32Array,
  documentFields: Uint32Array,
  documentTexts: Uint32Array,
  documentPassages: Uint32Array,
  headingBytes: Uint8Array,
  headingOffsets: Uint32Array,
  passageHeadings: Uint32Array,
  passageStarts: Uint32Array,
  passageEnds: Uint32Array,
  passageHashes: Uint8Array,
  passageReadable: Uint8Array,
  titleLengths: Uint16Array,
  headingLengths: Uint16Array,
  textLengths: Uint16Array,
  wordBytes: Uint8Array,
  wordOffsets: Uint32Array,
  wordCounts: Uint32Array,
  postingOffsets: Uint32Array,
  postings: Uint8Array,
  termBytes: Uint8Array,
  termOffsets: Uint32Array,
  wordTerms: Uint32Array,
  blockStarts: Uint32Array,
  blockOffsets: Uint32Array,
  blocks: Uint8Array,
  codes: Uint8Array,
  codeScales: Float32Array,
} as const satisfies { readonly [name in keyof SegmentArrays]: new (length: number) => SegmentArrays[name] };

const sections = Object.keys(sectionTypes) as (keyof SegmentArrays)[];

const hexSchema = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const wholeNumber = (least: number, most: number) => z.int().check(z.minimum(least), z.maximum(most));

/** Header bytes that are parsed. The header of 1024 segments has half of them. */
const maxHeaderBytes = 1 << 20;

/** How texts become words and terms: see terms.ts. A file of another one would be searched for other terms. */
const analyzer = "words-and-english-stems-1";

const headerSchema = z.strictObject({
  analyzer: z.literal(analyzer),
  fingerprint: hexSchema,
  geometry: z.nullable(
    z.strictObject({
      dimensions: wholeNumber(1, maxDimensions),
      seed: wholeNumber(0, 0xffffffff),
      levels: z.array(wholeNumber(-127, 127)).check(z.length(16)),
    }),
  ),
  segments: z
    .array(z.strictObject({ lengths: z.array(wholeNumber(0, 0xffffffff)).check(z.length(sections.length)), sha256: hexSchema }))
    .check(z.maxLength(1024)),
});

type Header = z.infer<typeof headerSchema>;

/** What an index file contains. */
export interface IndexFile {
  /** Of the model that made the vectors, in hex. */
  readonly fingerprint: string;
  /** How vectors are encoded; null if there are none. */
  readonly geometry: CodeGeometry | null;
  readonly segments: readonly Segment[];
}

/** The bytes of an index file. The same segments give the same bytes. */
export async function writeIndexFile({ fingerprint, geometry, segments }: IndexFile): Promise<Uint8Array<ArrayBuffer>> {
  const bodies: Uint8Array[] = [];
  const entries: Header["segments"] = [];
  for (const { arrays } of segments) {
    const body = joined(sections.map((name) => bytesOf(arrays[name])));
    bodies.push(body);
    entries.push({ lengths: sections.map((name) => arrays[name].byteLength), sha256: await sha256Hex(body) });
  }
  const json = JSON.stringify({ analyzer, fingerprint, geometry, segments: entries });
  // Spaces up to the alignment, so that the checksum covers them.
  const header = new TextEncoder().encode(json.padEnd(aligned(json.length)));
  const fixed = new Uint8Array(fixedBytes);
  fixed.set(magic);
  const view = new DataView(fixed.buffer);
  view.setUint32(at.version, indexFileVersion, true);
  view.setUint32(at.headerLength, header.length, true);
  fixed.set(await sha256(header), at.digest);
  return joined([fixed, header, ...bodies]);
}

/**
 * Reads an untrusted index file. Its arrays are used where they lie, so the segments keep the bytes of the file. Rejects with
 * `not_an_index` (another signature), `unknown_index_version` (another version), `damaged_index` (truncated or changed) or `invalid_index`
 * (right checksums, inconsistent contents). Messages contain nothing of the file's contents.
 */
export async function readIndexFile(file: Uint8Array<ArrayBuffer>): Promise<IndexFile> {
  const found = versionOf(file);
  if (found !== indexFileVersion) {
    throw new EncoderError(
      "unknown_index_version",
      `The index file has version ${found}; this program reads versions 1 to ${indexFileVersion}`,
    );
  }
  if (file.length < fixedBytes) throw damaged("it is truncated");
  // Typed arrays need aligned bytes.
  const bytes = file.byteOffset % alignment === 0 ? file : file.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(at.headerLength, true);
  const headerBytes = bytes.subarray(fixedBytes, fixedBytes + headerLength);
  if (headerBytes.length < headerLength) throw damaged("it is truncated");
  await checkDigest(headerBytes, bytes.subarray(at.digest, fixedBytes), "its header has a wrong checksum");
  return withInvalidIndexErrors(async () => {
    const { fingerprint, geometry, segments: entries } = headerOf(headerBytes);
    const segments: Segment[] = [];
    let position = fixedBytes + headerBytes.length;
    if (position % alignment !== 0) throw new FormatError("its header has a wrong length");
    for (const { lengths, sha256 } of entries) {
      const end = lengths.reduce((to, length) => aligned(to + length), position);
      if (end > bytes.length) throw damaged("it is truncated");
      if ((await sha256Hex(bytes.subarray(position, end))) !== sha256) throw damaged("a segment has a wrong checksum");
      const arrays = arraysOf(bytes, position, lengths);
      checkSegment(arrays, geometry);
      segments.push(new Segment(arrays, geometry));
      position = end;
    }
    if (position !== bytes.length) throw damaged(`it has ${bytes.length} bytes, not ${position}`);
    return { fingerprint, geometry, segments };
  });
}

/** The format version of an index file. Throws `not_an_index` for other bytes, and `damaged_index` if they end before. */
export function versionOf(file: Uint8Array): number {
  if (file.length < magic.length || !magic.every((byte, i) => file[i] === byte)) {
    throw new EncoderError("not_an_index", "This is not an index file of Samevec");
  }
  if (file.length < magic.length + 4) throw damaged("it is truncated");
  return new DataView(file.buffer, file.byteOffset).getUint32(at.version, true);
}

/** Calls `read`. A {@link FormatError} becomes `invalid_index`. */
export async function withInvalidIndexErrors<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new EncoderError("invalid_index", `The index file is not valid: ${error.message}`, {}, { cause: error });
  }
}

export const damaged = (reason: string) => new EncoderError("damaged_index", `The index file is damaged: ${reason}`);

/** Rejects with `damaged_index` unless the SHA-256 of the bytes is the expected one. */
export async function checkDigest(bytes: Uint8Array<ArrayBuffer>, digest: Uint8Array, otherwise: string): Promise<void> {
  const found = await sha256(bytes);
  if (!found.every((byte, i) => byte === digest[i])) throw damaged(otherwise);
}

/** Parses JSON in UTF-8. Throws {@link FormatError} with the message if it is not. */
export function parseJson(bytes: Uint8Array, otherwise: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FormatError(otherwise, { cause: error });
  }
}

function headerOf(bytes: Uint8Array): Header {
  if (bytes.length > maxHeaderBytes) throw new FormatError("its header is too long");
  const { data } = headerSchema.safeParse(parseJson(bytes, "its header is not JSON"));
  if (!data) throw new FormatError("its header does not have the expected fields");
  return data;
}

function arraysOf(bytes: Uint8Array<ArrayBuffer>, start: number, lengths: readonly number[]): SegmentArrays {
  let position = start;
  const arrays = sections.map((name, i) => {
    const Type = sectionTypes[name];
    const length = lengths[i] ?? 0;
    if (length % Type.BYTES_PER_ELEMENT !== 0) throw new FormatError("a section has a wrong length");
    const array = new Type(bytes.buffer, bytes.byteOffset + position, length / Type.BYTES_PER_ELEMENT);
    position = aligned(position + length);
    return [name, array];
  });
  return Object.fromEntries(arrays) as unknown as SegmentArrays; // a name and an array of its type for each section
}

/** Checks all that a search relies on. Time and memory are proportional to the arrays. Throws {@link FormatError}. */
function checkSegment(arrays: SegmentArrays, geometry: CodeGeometry | null): void {
  const documents = arrays.documentFields.length;
  const passages = arrays.passageStarts.length;
  checkStrings(arrays.idBytes, arrays.idOffsets, documents, true);
  checkStrings(arrays.titleBytes, arrays.titleOffsets, documents);
  const fields = checkStrings(arrays.fieldBytes, arrays.fieldOffsets, arrays.fieldOffsets.length - 1);
  if (!fields.every((text) => fieldsSchema.safeParse(jsonOf(text)).success)) throw new FormatError("a document's fields are not valid");
  const headings = checkStrings(arrays.headingBytes, arrays.headingOffsets, arrays.headingOffsets.length - 1);
  if (!headings.every((text) => headingsSchema.safeParse(jsonOf(text)).success)) throw new FormatError("a heading is not valid");
  checkRows(arrays.documentFields, fields.length);
  checkRows(arrays.passageHeadings, headings.length);
  checkOffsets(arrays.documentPassages, documents, passages);
  checkOffsets(arrays.documentTexts, documents, arrays.documentTexts.at(-1) ?? 0);
  const perPassage = [
    "passageEnds",
    "passageHeadings",
    "passageReadable",
    "titleLengths",
    "headingLengths",
    "textLengths",
    "codeScales",
  ] as const;
  if (perPassage.some((name) => arrays[name].length !== passages)) throw new FormatError("its counts are wrong");
  if (arrays.passageHashes.length !== hashBytes * passages || arrays.codes.length !== (geometry ? codeBytesOf(geometry) : 0) * passages) {
    throw new FormatError("its counts are wrong");
  }
  checkPassages(arrays);
  if (!arrays.codeScales.every((scale) => scale >= 0 && scale < 1)) throw new FormatError("it has a vector that is not normalized");
  if (!geometry && arrays.codeScales.some((scale) => scale !== 0)) throw new FormatError("its vectors have no geometry");
  const words = arrays.wordTerms.length;
  checkStrings(arrays.wordBytes, arrays.wordOffsets, words, true);
  const terms = checkStrings(arrays.termBytes, arrays.termOffsets, arrays.termOffsets.length - 1, true);
  checkRows(arrays.wordTerms, terms.length);
  if (arrays.wordCounts.length !== words) throw new FormatError("its counts are wrong");
  checkOffsets(arrays.postingOffsets, words, arrays.postings.length);
  checkPostings(arrays.postings, arrays.postingOffsets, arrays.wordCounts, passages);
  checkOffsets(arrays.blockOffsets, arrays.blockStarts.length - 1, arrays.blocks.length);
  checkOffsets(arrays.blockStarts, arrays.blockStarts.length - 1, arrays.documentTexts.at(-1) ?? 0);
  checkTexts(arrays.blockStarts, arrays.blockOffsets, arrays.documentTexts);
}

const fieldsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));
const headingsSchema = z.array(z.string());

/** The largest sum of a document's passages, in lengths of its text. Chunks repeat far less; memory for passages is bounded. */
export const maxRepetition = 4;

function checkPassages({ documentPassages, documentTexts, passageStarts, passageEnds }: SegmentArrays): void {
  for (let document = 0; document < documentPassages.length - 1; document++) {
    const length = (documentTexts[document + 1] ?? 0) - (documentTexts[document] ?? 0);
    let characters = 0;
    let previous = -1;
    for (let passage = documentPassages[document] ?? 0; passage < (documentPassages[document + 1] ?? 0); passage++) {
      const [start, end] = [passageStarts[passage] ?? 0, passageEnds[passage] ?? 0];
      if (start <= previous || end <= start || end > length) throw new FormatError("a passage lies outside of its text");
      characters += end - start;
      previous = start;
    }
    if (characters > maxRepetition * length) throw new FormatError("its passages overlap too much");
  }
}

/** Ascending positions from 0 to the length of what they divide. */
function checkOffsets(offsets: Uint32Array, count: number, length: number): void {
  if (offsets.length !== count + 1 || offsets[0] !== 0 || offsets.at(-1) !== length) throw new FormatError("its counts are wrong");
  for (let i = 1; i < offsets.length; i++) {
    if ((offsets[i] ?? 0) < (offsets[i - 1] ?? 0)) throw new FormatError("its positions are not in order");
  }
}

function checkRows(rows: Uint32Array, count: number): void {
  if (!rows.every((row) => row < count)) throw new FormatError("it names a row that does not exist");
}

/** Returns the strings. @param sorted whether they must be distinct and in order of their bytes */
function checkStrings(bytes: Uint8Array, offsets: Uint32Array, count: number, sorted = false): string[] {
  checkOffsets(offsets, count, bytes.length);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  for (let i = 0; i < count; i++) {
    const own = bytes.subarray(offsets[i], offsets[i + 1]);
    try {
      strings.push(decoder.decode(own));
    } catch (error) {
      throw new FormatError("it has a text that is not UTF-8", { cause: error });
    }
    if (sorted && i > 0 && compareBytes(bytes, offsets[i - 1] ?? 0, offsets[i] ?? 0, own) >= 0) {
      throw new FormatError("its documents or terms are not in order");
    }
  }
  return strings;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const aligned = (position: number) => Math.ceil(position / alignment) * alignment;

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Concatenates parts, each followed by zeros up to the alignment. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((length, part) => aligned(length + part.length), 0));
  let position = 0;
  for (const part of parts) {
    result.set(part, position);
    position = aligned(position + part.length);
  }
  return result;
}
