import { bytesOfHex, hexOf } from "../hash.ts";
import { compareBytes, firstIndex } from "./byte-arrays.ts";
import type { Place } from "./spans.ts";
import { SortedStrings, StringTable } from "./strings.ts";
import { CompressedTexts } from "./texts.ts";
import { type CodeGeometry, codeBytesOf, type VectorCode } from "./vector-codes.ts";

/** Bytes that are kept of the hash of a passage. */
export const hashBytes = 16;

/** What a document is filtered by. */
export type DocumentFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A document without its text. */
export interface DocumentRecord {
  readonly id: string;
  readonly title: string;
  readonly fields: DocumentFields;
  /** UTF-16 code units of its text. */
  readonly length: number;
}

/** A passage without its text. Positions are UTF-16 code units in the text of its document. */
export interface PassageRecord extends Place {
  /** The headings above it, outermost first. */
  readonly headings: readonly string[];
}

/** The arrays of a segment, in the order of an index file. All but the last two are fixed when the segment is built. */
export interface SegmentArrays {
  /** Documents, sorted by id. `fields` and `headings` are distinct JSON values. */
  readonly idBytes: Uint8Array;
  readonly idOffsets: Uint32Array;
  readonly titleBytes: Uint8Array;
  readonly titleOffsets: Uint32Array;
  readonly fieldBytes: Uint8Array;
  readonly fieldOffsets: Uint32Array;
  /** Row of `fields` of each document. */
  readonly documentFields: Uint32Array;
  /** Where the text of each document starts in the concatenation of texts; the last one is its length. */
  readonly documentTexts: Uint32Array;
  /** First passage of each document; the last one is the number of passages. */
  readonly documentPassages: Uint32Array;
  readonly headingBytes: Uint8Array;
  readonly headingOffsets: Uint32Array;
  /** Row of `headings` of each passage. */
  readonly passageHeadings: Uint32Array;
  readonly passageStarts: Uint32Array;
  readonly passageEnds: Uint32Array;
  /** The first 16 bytes of the SHA-256 of the embedded text, per passage. */
  readonly passageHashes: Uint8Array;
  /** 1 if the model can embed the passage well. */
  readonly passageReadable: Uint8Array;
  /** Number of words per passage and field. */
  readonly titleLengths: Uint16Array;
  readonly headingLengths: Uint16Array;
  readonly textLengths: Uint16Array;
  /** Words of all fields, folded, distinct and sorted, with the passages that contain them: see postings.ts. */
  readonly wordBytes: Uint8Array;
  readonly wordOffsets: Uint32Array;
  readonly wordCounts: Uint32Array;
  readonly postingOffsets: Uint32Array;
  readonly postings: Uint8Array;
  /** Terms, which are the stems of words, distinct and sorted, and the term of each word. */
  readonly termBytes: Uint8Array;
  readonly termOffsets: Uint32Array;
  readonly wordTerms: Uint32Array;
  /** Compressed texts: see texts.ts. */
  readonly blockStarts: Uint32Array;
  readonly blockOffsets: Uint32Array;
  readonly blocks: Uint8Array;
  /** Vector codes of the passages, and their scales; a scale of 0 means that the passage has no vector yet. */
  readonly codes: Uint8Array;
  readonly codeScales: Float32Array;
}

/**
 * An immutable part of an index: documents with their passages, vector codes and postings, searched where the arrays lie. Only the codes
 * of its own passages are filled in later, as they are embedded.
 */
export class Segment {
  #arrays: SegmentArrays;
  #geometry: CodeGeometry | null;
  readonly ids: SortedStrings;
  readonly titles: StringTable;
  readonly terms: SortedStrings;
  readonly words: SortedStrings;
  readonly texts: CompressedTexts;
  readonly #fields: StringTable;
  readonly #headings: StringTable;
  /** Headings by row; parsed when first needed. */
  readonly #headingLists = new Map<number, readonly string[]>();
  /** Words by term; computed when first needed. */
  #termWords: { readonly offsets: Uint32Array; readonly words: Uint32Array } | null = null;
  /** Passages in the order of their hashes; computed when first needed. */
  #byHash: Uint32Array | null = null;
  /** Document of each passage. */
  readonly passageDocuments: Uint32Array;

  /** @param geometry of the codes; null if the segment has none yet */
  constructor(arrays: SegmentArrays, geometry: CodeGeometry | null) {
    this.#arrays = arrays;
    this.#geometry = geometry;
    this.ids = new SortedStrings(arrays.idBytes, arrays.idOffsets);
    this.titles = new StringTable(arrays.titleBytes, arrays.titleOffsets);
    this.terms = new SortedStrings(arrays.termBytes, arrays.termOffsets);
    this.words = new SortedStrings(arrays.wordBytes, arrays.wordOffsets);
    this.texts = new CompressedTexts(arrays.blockStarts, arrays.blockOffsets, arrays.blocks);
    this.#fields = new StringTable(arrays.fieldBytes, arrays.fieldOffsets);
    this.#headings = new StringTable(arrays.headingBytes, arrays.headingOffsets);
    this.passageDocuments = new Uint32Array(this.passages);
    for (let document = 0; document < this.documents; document++) {
      const [from, to] = this.passagesOf(document);
      this.passageDocuments.fill(document, from, to);
    }
  }

  get arrays(): SegmentArrays {
    return this.#arrays;
  }

  /** Of the codes; null if there are none. */
  get geometry(): CodeGeometry | null {
    return this.#geometry;
  }

  /** Drops all codes, and makes room for those of a geometry. */
  resetCodes(geometry: CodeGeometry | null): void {
    const codes = new Uint8Array(geometry ? this.passages * codeBytesOf(geometry) : 0);
    this.#arrays = { ...this.#arrays, codes, codeScales: new Float32Array(this.passages) };
    this.#geometry = geometry;
  }

  /** The code of a passage, copied; null if it has none. */
  codeAt(passage: number): VectorCode | null {
    const { codes, codeScales } = this.#arrays;
    const scale = codeScales[passage] ?? 0;
    if (!this.#geometry || scale === 0) return null;
    const bytes = codeBytesOf(this.#geometry);
    return { code: codes.slice(passage * bytes, (passage + 1) * bytes), scale };
  }

  /** @param code of the segment's geometry */
  setCode(passage: number, { code, scale }: VectorCode): void {
    this.#arrays.codes.set(code, passage * code.length);
    this.#arrays.codeScales[passage] = scale;
  }

  /** The number of documents. */
  get documents(): number {
    return this.ids.size;
  }

  /** The number of passages. */
  get passages(): number {
    return this.arrays.passageStarts.length;
  }

  /** The passages of a document: from the first up to the second. */
  passagesOf(document: number): [from: number, to: number] {
    return [this.arrays.documentPassages[document] ?? 0, this.arrays.documentPassages[document + 1] ?? 0];
  }

  document(document: number): DocumentRecord {
    const { documentTexts } = this.arrays;
    return {
      id: this.ids.get(document),
      title: this.titles.get(document),
      fields: this.fieldsAt(this.arrays.documentFields[document] ?? 0),
      length: (documentTexts[document + 1] ?? 0) - (documentTexts[document] ?? 0),
    };
  }

  /** Number of distinct fields, of which every document names a row. */
  get fieldRows(): number {
    return this.#fields.size;
  }

  fieldsAt(row: number): DocumentFields {
    return JSON.parse(this.fieldsText(row)) as DocumentFields; // checked where a file is read
  }

  /** A row of fields as JSON. */
  fieldsText(row: number): string {
    return this.#fields.get(row);
  }

  /** A row of headings as JSON. */
  headingsText(row: number): string {
    return this.#headings.get(row);
  }

  textOf(document: number): string {
    const { documentTexts } = this.arrays;
    return this.texts.slice(documentTexts[document] ?? 0, documentTexts[document + 1] ?? 0);
  }

  passage(passage: number): PassageRecord {
    const { passageStarts, passageEnds, passageHeadings } = this.arrays;
    return {
      start: passageStarts[passage] ?? 0,
      end: passageEnds[passage] ?? 0,
      headings: this.#headingsAt(passageHeadings[passage] ?? 0),
    };
  }

  /** Passages of one row share a list, so that memory does not grow with their number. */
  #headingsAt(row: number): readonly string[] {
    const known = this.#headingLists.get(row);
    if (known) return known;
    const headings = JSON.parse(this.headingsText(row)) as string[]; // checked where a file is read
    this.#headingLists.set(row, headings);
    return headings;
  }

  passageText(passage: number): string {
    const { passageStarts, passageEnds, documentTexts } = this.arrays;
    const origin = documentTexts[this.passageDocuments[passage] ?? 0] ?? 0;
    return this.texts.slice(origin + (passageStarts[passage] ?? 0), origin + (passageEnds[passage] ?? 0));
  }

  /** The first 16 bytes of the SHA-256 of a passage's embedded text, in hex. */
  hashOf(passage: number): string {
    return hexOf(this.arrays.passageHashes.subarray(hashBytes * passage, hashBytes * (passage + 1)));
  }

  /** The words of a term. */
  wordsOfTerm(term: number): Uint32Array {
    this.#termWords ??= groupByTerm(this.arrays.wordTerms, this.terms.size);
    const { offsets, words } = this.#termWords;
    return words.subarray(offsets[term], offsets[term + 1]);
  }

  /** The passages with a hash (SHA-256 in hex, of which 16 bytes are compared), ascending. */
  passagesWithHash(hash: string): number[] {
    const { passageHashes } = this.arrays;
    const compare = (passage: number, wanted: Uint8Array) =>
      compareBytes(passageHashes, hashBytes * passage, hashBytes * (passage + 1), wanted);
    this.#byHash ??= Uint32Array.from({ length: this.passages }, (_, passage) => passage).sort(
      (a, b) => compare(a, passageHashes.subarray(hashBytes * b, hashBytes * (b + 1))) || a - b,
    );
    const byHash = this.#byHash;
    const wanted = bytesOfHex(hash, hashBytes);
    const found: number[] = [];
    let at = firstIndex(byHash.length, (i) => compare(byHash[i] ?? 0, wanted) >= 0);
    for (; at < byHash.length && compare(byHash[at] ?? 0, wanted) === 0; at++) found.push(byHash[at] ?? 0);
    return found;
  }

  /** Whether the model can embed a passage well. */
  isReadable(passage: number): boolean {
    return this.arrays.passageReadable[passage] === 1;
  }

  hasCode(passage: number): boolean {
    return (this.arrays.codeScales[passage] ?? 0) !== 0;
  }
}

function groupByTerm(wordTerms: Uint32Array, terms: number) {
  const offsets = new Uint32Array(terms + 1);
  for (const term of wordTerms) offsets[term + 1] = (offsets[term + 1] ?? 0) + 1;
  for (let term = 0; term < terms; term++) offsets[term + 1] = (offsets[term + 1] ?? 0) + (offsets[term] ?? 0);
  const next = offsets.slice();
  const words = new Uint32Array(wordTerms.length);
  for (const [word, term] of wordTerms.entries()) {
    const place = next[term] ?? 0;
    words[place] = word;
    next[term] = place + 1;
  }
  return { offsets, words };
}
