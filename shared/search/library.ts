import type { RelevanceCalibration } from "../encoder/encoder.ts";
import { type Chunk, chunkText } from "./chunk.ts";

/** A searchable text. */
export interface Document {
  /** For a file, its path: "notes/heating.md". */
  readonly id: string;
  /** The title in the text. It is embedded with every passage, so a file name belongs in `id`, where a change needs no embedding. */
  readonly title: string;
  /** The type of text, in a word or two: "recipe", "pasted". */
  readonly kind: string;
  readonly text: string;
}

/** A query and the document that answers it. */
export interface ExampleQuery {
  readonly query: string;
  /** The document's id. */
  readonly answer: string;
}

/** Documents with precomputed vectors, searchable before the model is loaded. */
export interface Library {
  /** Of the model that made the vectors; another model cannot use them. */
  readonly fingerprint: string;
  /** Of that model; null if it has none. */
  readonly relevance: RelevanceCalibration | null;
  readonly documents: readonly Document[];
  readonly examples: readonly ExampleQuery[];
  /** A vector per passage: document by document, each in the order of {@link passagesOf}. */
  readonly passageVectors: readonly Float32Array[];
  /** A vector per example query. */
  readonly queryVectors: readonly Float32Array[];
}

/** The JSON part of a library. Its other part is float32, little-endian: a row per passage, then one per example. */
export interface LibraryHeader extends Pick<Library, "fingerprint" | "relevance" | "documents" | "examples"> {
  readonly dimensions: number;
}

/** Estimated tokens of a passage: about 140 tokens of the model, a paragraph. */
const passageTokens = 176;

/** About a sentence. */
const overlapTokens = 30;

/** The passages of a document. */
export function passagesOf({ text }: Pick<Document, "text">): Chunk[] {
  return chunkText(text, { maxTokens: passageTokens, overlapTokens });
}

/**
 * The title of the document and the headings above a passage, because a passage seldom names its subject. (With them, 37 of 42
 * queries find their answer first among the built-in documents; without, 35.)
 */
function headOf({ title }: Pick<Document, "title">, { headings }: Pick<Chunk, "headings">): string {
  return [title, ...headings.filter((heading) => heading !== title)].join("\n");
}

/** The text that is embedded for a passage. */
export function embeddedText(document: Pick<Document, "title">, chunk: Chunk): string {
  return `${headOf(document, chunk)}\n${chunk.text}`;
}

/** All texts of a library, in the order of its vectors. */
export function textsOf({ documents, examples }: Pick<Library, "documents" | "examples">): { passages: string[]; queries: string[] } {
  return {
    passages: documents.flatMap((document) => passagesOf(document).map((passage) => embeddedText(document, passage))),
    queries: examples.map(({ query }) => query),
  };
}

/** The binary part of a library from its rows. */
export function packVectors(vectors: readonly Float32Array[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(vectors.reduce((bytes, vector) => bytes + vector.byteLength, 0)));
  let offset = 0;
  for (const vector of vectors) {
    for (const component of vector) {
      view.setFloat32(offset, component, true);
      offset += Float32Array.BYTES_PER_ELEMENT;
    }
  }
  return new Uint8Array(view.buffer);
}

/** Reads both parts of a library. Throws `RangeError` when the vectors have another size. */
export function readLibrary({ fingerprint, relevance, dimensions, documents, examples }: LibraryHeader, packed: ArrayBuffer): Library {
  const view = new DataView(packed);
  let offset = 0;
  const nextVector = () => {
    const vector = new Float32Array(dimensions);
    for (let i = 0; i < dimensions; i++) {
      vector[i] = view.getFloat32(offset, true);
      offset += Float32Array.BYTES_PER_ELEMENT;
    }
    return vector;
  };
  const passageVectors = documents.flatMap(passagesOf).map(nextVector);
  const queryVectors = examples.map(nextVector);
  if (offset !== packed.byteLength) throw new RangeError(`The library's vectors have ${packed.byteLength} bytes, not ${offset}`);
  return { fingerprint, relevance, documents, examples, passageVectors, queryVectors };
}
