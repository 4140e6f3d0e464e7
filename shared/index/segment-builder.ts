import { bytesOfHex } from "../hash.ts";
import { concatenated } from "./byte-arrays.ts";
import { type Occurrences, PostingsWriter, packOccurrences } from "./postings.ts";
import { type DocumentFields, hashBytes, Segment, type SegmentArrays } from "./segment.ts";
import { compareCodePoints, StringTable } from "./strings.ts";
import { type Term, termsOf } from "./terms.ts";
import { TextsWriter } from "./texts.ts";
import { type CodeGeometry, codeBytesOf, type VectorCode } from "./vector-codes.ts";

/** A document split into passages. Texts are well-formed Unicode. */
export interface IndexDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly fields?: DocumentFields;
  /** In ascending order of `start`. */
  readonly passages: readonly IndexPassage[];
}

interface IndexPassage {
  /** UTF-16 code units in the text of the document. */
  readonly start: number;
  readonly end: number;
  /** The headings above it, outermost first. */
  readonly headings: readonly string[];
  /** SHA-256 of the embedded text, in hex. The first 16 bytes are kept. */
  readonly hash: string;
  /** Whether the model can embed it well. */
  readonly readable: boolean;
  /** Null until the passage is embedded. */
  readonly code?: VectorCode | null;
}

/** Builds a segment from documents with distinct ids, in any order. */
export class SegmentBuilder {
  readonly #documents: IndexDocument[] = [];

  add(document: IndexDocument): void {
    this.#documents.push(document);
  }

  /** The segment. The same documents give the same arrays, whatever their order. */
  finish(geometry: CodeGeometry | null): Segment {
    const steps = this.steps(geometry);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }

  /** As {@link finish}, in steps of one document. */
  *steps(geometry: CodeGeometry | null): Generator<void, Segment> {
    const documents = this.#documents.sort((a, b) => compareCodePoints(a.id, b.id));
    const passages = documents.flatMap((document) => document.passages);
    const texts = new TextsWriter();
    const keyword = new KeywordWriter(passages.length);
    const fields = new Rows();
    const headings = new Rows();
    const documentFields = new Uint32Array(documents.length);
    const documentTexts = new Uint32Array(documents.length + 1);
    const documentPassages = new Uint32Array(documents.length + 1);
    let passage = 0;
    for (const [i, document] of documents.entries()) {
      texts.add(document.text);
      documentFields[i] = fields.rowOf(canonicalJson(document.fields ?? {}));
      documentTexts[i + 1] = (documentTexts[i] ?? 0) + document.text.length;
      const title = termsOf(document.title);
      for (const { start, end, headings: above } of document.passages) {
        const own = above.filter((heading) => heading !== document.title);
        keyword.add(passage++, { title, headings: termsOf(own.join("\n")), text: termsOf(document.text.slice(start, end)) });
      }
      documentPassages[i + 1] = passage;
      yield;
    }
    const passageHeadings = Uint32Array.from(passages, (each) => headings.rowOf(JSON.stringify(each.headings)));
    const codeBytes = geometry ? codeBytesOf(geometry) : 0;
    const codes = new Uint8Array(passages.length * codeBytes);
    const codeScales = new Float32Array(passages.length);
    const passageHashes = new Uint8Array(passages.length * hashBytes);
    for (const [i, { code, hash }] of passages.entries()) {
      passageHashes.set(bytesOfHex(hash, hashBytes), i * hashBytes);
      if (!geometry || !code) continue;
      codes.set(code.code, i * codeBytes);
      codeScales[i] = code.scale;
    }
    const arrays: SegmentArrays = {
      ...textArrays(documents, { fields, headings, texts }),
      documentFields,
      documentTexts,
      documentPassages,
      passageHeadings,
      passageStarts: Uint32Array.from(passages, ({ start }) => start),
      passageEnds: Uint32Array.from(passages, ({ end }) => end),
      passageHashes,
      passageReadable: Uint8Array.from(passages, ({ readable }) => Number(readable)),
      ...keyword.finish(),
      codes,
      codeScales,
    };
    return new Segment(arrays, geometry);
  }
}

/** The arrays of all that is text but for words and terms. @param documents in the order of the segment */
export function textArrays(
  documents: readonly Pick<IndexDocument, "id" | "title">[],
  { fields, headings, texts }: { readonly fields: Rows; readonly headings: Rows; readonly texts: TextsWriter },
) {
  const ids = StringTable.of(documents.map(({ id }) => id));
  const titles = StringTable.of(documents.map(({ title }) => title));
  const [fieldTable, headingTable] = [fields.table(), headings.table()];
  const compressed = texts.finish();
  return {
    idBytes: ids.bytes,
    idOffsets: ids.offsets,
    titleBytes: titles.bytes,
    titleOffsets: titles.offsets,
    fieldBytes: fieldTable.bytes,
    fieldOffsets: fieldTable.offsets,
    headingBytes: headingTable.bytes,
    headingOffsets: headingTable.offsets,
    blockStarts: compressed.starts,
    blockOffsets: compressed.offsets,
    blocks: compressed.bytes,
  };
}

type Fields<T> = { readonly [field in keyof Occurrences]: T };

const fieldNames = ["title", "headings", "text"] as const;

/** A word that is collected, and its occurrences in the current passage. */
interface CollectedWord extends WordWriter {
  passage: number;
  title: number;
  headings: number;
  text: number;
}

/** Collects words with their terms and postings, passage by passage. */
class KeywordWriter {
  readonly #words = new Map<string, CollectedWord>();
  readonly #lengths: Fields<Uint16Array>;

  constructor(passages: number) {
    this.#lengths = { title: new Uint16Array(passages), headings: new Uint16Array(passages), text: new Uint16Array(passages) };
  }

  add(passage: number, fields: Fields<readonly Pick<Term, "word" | "term">[]>): void {
    const inPassage: CollectedWord[] = [];
    for (const field of fieldNames) {
      this.#lengths[field][passage] = Math.min(0xffff, fields[field].length);
      for (const { word, term } of fields[field]) {
        let collected = this.#words.get(word);
        if (!collected) {
          collected = { term, postings: new PostingsWriter(), passage: -1, title: 0, headings: 0, text: 0 };
          this.#words.set(word, collected);
        }
        if (collected.passage !== passage) {
          collected.passage = passage;
          collected.title = 0;
          collected.headings = 0;
          collected.text = 0;
          inPassage.push(collected);
        }
        collected[field] += 1;
      }
    }
    for (const collected of inPassage) collected.postings.add(passage, packOccurrences(collected));
  }

  finish() {
    return {
      titleLengths: this.#lengths.title,
      headingLengths: this.#lengths.headings,
      textLengths: this.#lengths.text,
      ...wordArrays(this.#words),
    };
  }
}

/** A word's term and the passages that contain the word. */
export interface WordWriter {
  readonly term: string;
  readonly postings: PostingsWriter;
}

/** The arrays of words with their postings and terms. */
export function wordArrays(writers: ReadonlyMap<string, WordWriter>) {
  const sorted = [...writers].sort(([a], [b]) => compareCodePoints(a, b));
  const words = StringTable.of(sorted.map(([word]) => word));
  const { bytes: postings, offsets: postingOffsets } = concatenated(sorted.map(([, writer]) => writer.postings.bytes));
  const distinct = [...new Set(sorted.map(([, { term }]) => term))].sort(compareCodePoints);
  const terms = StringTable.of(distinct);
  const places = new Map(distinct.map((term, i) => [term, i]));
  return {
    wordBytes: words.bytes,
    wordOffsets: words.offsets,
    wordCounts: Uint32Array.from(sorted, ([, writer]) => writer.postings.count),
    postingOffsets,
    postings,
    termBytes: terms.bytes,
    termOffsets: terms.offsets,
    wordTerms: Uint32Array.from(sorted, ([, { term }]) => places.get(term) ?? 0),
  };
}

/** Numbers distinct strings in the order of their first use. */
export class Rows {
  readonly #rows = new Map<string, number>();

  rowOf(text: string): number {
    const row = this.#rows.get(text) ?? this.#rows.size;
    this.#rows.set(text, row);
    return row;
  }

  table(): StringTable {
    return StringTable.of(this.#rows.keys());
  }
}

/** JSON with sorted names: equal fields have equal text. */
function canonicalJson(fields: DocumentFields): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => compareCodePoints(a, b))));
}
