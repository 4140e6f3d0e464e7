import { decodeWord, type SearchedSegment } from "./keyword-search.ts";
import { PostingsReader, PostingsWriter } from "./postings.ts";
import { hashBytes, Segment, type SegmentArrays } from "./segment.ts";
import { Rows, textArrays, type WordWriter, wordArrays } from "./segment-builder.ts";
import { compareCodePoints } from "./strings.ts";
import { TextsWriter } from "./texts.ts";
import { type CodeGeometry, codeBytesOf } from "./vector-codes.ts";

/** A segment, and its documents that are left out. */
type MergedSegment = Pick<SearchedSegment, "segment" | "deleted">;

/**
 * Makes one segment of the documents of several that are not deleted, in steps of a few hundred documents or words. The arrays are those of a
 * segment that is built from these documents at once.
 * @param segments of one geometry, at least one
 */
export function* mergeSteps(segments: readonly MergedSegment[]): Generator<void, Segment> {
  const [first] = segments;
  if (!first) throw new RangeError("mergeSteps: there are no segments");
  const documents = liveDocuments(segments);
  const passages = documents.reduce((sum, { from, to }) => sum + to - from, 0);
  const arrays = {
    documentFields: new Uint32Array(documents.length),
    documentTexts: new Uint32Array(documents.length + 1),
    documentPassages: new Uint32Array(documents.length + 1),
    passageHeadings: new Uint32Array(passages),
    passageStarts: new Uint32Array(passages),
    passageEnds: new Uint32Array(passages),
    passageHashes: new Uint8Array(passages * hashBytes),
    passageReadable: new Uint8Array(passages),
    titleLengths: new Uint16Array(passages),
    headingLengths: new Uint16Array(passages),
    textLengths: new Uint16Array(passages),
  };
  const perPassage = [
    [1, "passageStarts"],
    [1, "passageEnds"],
    [1, "passageReadable"],
    [1, "titleLengths"],
    [1, "headingLengths"],
    [1, "textLengths"],
    [hashBytes, "passageHashes"],
  ] as const;
  const fields = new Rows();
  const headings = new Rows();
  const texts = new TextsWriter();
  /** The new place of each passage of each segment. */
  const places = segments.map(({ segment }) => new Uint32Array(segment.passages).fill(gone));
  let next = 0;
  for (const [i, { origin, document, from, to }] of documents.entries()) {
    const source = segments[origin]?.segment;
    if (!source) break;
    const [start = 0, end = 0] = source.arrays.documentTexts.subarray(document, document + 2);
    texts.copy(source.texts, start, end);
    arrays.documentFields[i] = fields.rowOf(source.fieldsText(source.arrays.documentFields[document] ?? 0));
    arrays.documentTexts[i + 1] = (arrays.documentTexts[i] ?? 0) + end - start;
    for (const [width, name] of perPassage) arrays[name].set(source.arrays[name].subarray(from * width, to * width), next * width);
    for (let passage = from; passage < to; passage++) {
      const place = places[origin];
      if (place) place[passage] = next;
      arrays.passageHeadings[next++] = headings.rowOf(source.headingsText(source.arrays.passageHeadings[passage] ?? 0));
    }
    arrays.documentPassages[i + 1] = next;
    if (i % stepSize === 0) yield;
  }
  const words = yield* mergeWords(segments, places);
  const tables = textArrays(documents, { fields, headings, texts });
  // Last, without a pause after it: vectors may come, or be dropped, until here.
  const { geometry } = first.segment;
  const { codes, codeScales } = mergedCodes(segments, documents, passages, geometry);
  return new Segment({ ...tables, ...arrays, ...wordArrays(words), codes, codeScales }, geometry);
}

function mergedCodes(
  segments: readonly MergedSegment[],
  documents: readonly LiveDocument[],
  passages: number,
  geometry: CodeGeometry | null,
): Pick<SegmentArrays, "codes" | "codeScales"> {
  const bytes = geometry ? codeBytesOf(geometry) : 0;
  const codes = new Uint8Array(passages * bytes);
  const codeScales = new Float32Array(passages);
  let next = 0;
  for (const { origin, from, to } of documents) {
    const source = segments[origin]?.segment.arrays;
    if (source) {
      codes.set(source.codes.subarray(from * bytes, to * bytes), next * bytes);
      codeScales.set(source.codeScales.subarray(from, to), next);
    }
    next += to - from;
  }
  return { codes, codeScales };
}

/** Documents or words in one step. */
const stepSize = 256;

/** The new place of a deleted passage. */
const gone = 0xffffffff;

interface LiveDocument {
  readonly id: string;
  readonly title: string;
  /** Position of its segment. */
  readonly origin: number;
  readonly document: number;
  /** Its passages. */
  readonly from: number;
  readonly to: number;
}

function liveDocuments(segments: readonly MergedSegment[]): LiveDocument[] {
  const documents = segments.flatMap(({ segment, deleted }, origin) =>
    Array.from({ length: segment.documents }, (_, document) => document)
      .filter((document) => !deleted.has(document))
      .map((document): LiveDocument => {
        const [from, to] = segment.passagesOf(document);
        return { id: segment.ids.get(document), title: segment.titles.get(document), origin, document, from, to };
      }),
  );
  return documents.sort((a, b) => compareCodePoints(a.id, b.id));
}

function* mergeWords(segments: readonly MergedSegment[], places: readonly Uint32Array[]): Generator<void, Map<string, WordWriter>> {
  const sources = new Map<string, { readonly origin: number; readonly word: number }[]>();
  for (const [origin, { segment }] of segments.entries()) {
    let word = 0;
    for (const text of segment.words) {
      const known = sources.get(text);
      if (known) known.push({ origin, word });
      else sources.set(text, [{ origin, word }]);
      word++;
    }
    yield;
  }
  const reader = new PostingsReader();
  const writers = new Map<string, WordWriter>();
  let done = 0;
  for (const [text, origins] of sources) {
    const postings: { readonly passage: number; readonly occurrences: number }[] = [];
    let term = "";
    for (const { origin, word } of origins) {
      const segment = segments[origin]?.segment;
      if (!segment) continue;
      term = segment.terms.get(segment.arrays.wordTerms[word] ?? 0);
      const count = decodeWord(segment, word, reader);
      for (let i = 0; i < count; i++) {
        const passage = places[origin]?.[reader.passages[i] ?? 0] ?? gone;
        if (passage !== gone) postings.push({ passage, occurrences: reader.occurrences[i] ?? 0 });
      }
    }
    // Each segment is in order; documents of several alternate.
    if (origins.length > 1) postings.sort((a, b) => a.passage - b.passage);
    if (postings.length > 0) {
      const writer = new PostingsWriter();
      for (const { passage, occurrences } of postings) writer.add(passage, occurrences);
      writers.set(text, { term, postings: writer });
    }
    if (++done % stepSize === 0) yield;
  }
  return writers;
}
