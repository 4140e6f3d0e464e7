import { type Chunk, chunkText } from "./chunk.ts";

/** A text that can be searched. */
export interface Document {
  /** Of a file, its path: "notes/heating.md". */
  readonly id: string;
  /** What the text calls itself. It is embedded with every passage: a file's name is better kept in `id`, where a change costs nothing. */
  readonly title: string;
  /** What sort of text it is, in a word or two: "recipe", "your text". */
  readonly kind: string;
  readonly text: string;
}

/** A query with a document that answers it. */
export interface ExampleQuery {
  readonly query: string;
  /** The document's id. */
  readonly answer: string;
}

/** Documents with their vectors, so that they can be searched before a model is there. */
export interface Library {
  /** Of the model that made the vectors: with another model they must be made again. */
  readonly fingerprint: string;
  readonly documents: readonly Document[];
  readonly examples: readonly ExampleQuery[];
  /** A vector per passage: document by document, each in the order of {@link passagesOf}. */
  readonly passageVectors: readonly Float32Array[];
  /** A vector per example query. */
  readonly queryVectors: readonly Float32Array[];
}

/** The JSON part of a library. Its other part is float32, little-endian: a row per passage, then one per example. */
export interface LibraryHeader extends Pick<Library, "fingerprint" | "documents" | "examples"> {
  readonly dimensions: number;
}

/** By the estimate of `chunkText`: some 140 tokens of the model, a paragraph that can be read at a glance. */
const passageTokens = 176;

/** A sentence or so. */
const overlapTokens = 30;

/** The passages by which a document is found. */
export function passagesOf({ text }: Pick<Document, "text">): Chunk[] {
  return chunkText(text, { maxTokens: passageTokens, overlapTokens });
}

/**
 * What stands above a passage: the title of its document and the headings, because a passage seldom names what it is
 * about. (With it 37 of 42 queries find their answer first among the built-in documents, without it 35.)
 */
export function headOf({ title }: Pick<Document, "title">, { headings }: Pick<Chunk, "headings">): string {
  return [title, ...headings.filter((heading) => heading !== title)].join("\n");
}

/** What is embedded for a passage. */
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

/** Joins both parts again. Throws `RangeError` when they do not belong together. */
export function readLibrary({ fingerprint, dimensions, documents, examples }: LibraryHeader, packed: ArrayBuffer): Library {
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
  return { fingerprint, documents, examples, passageVectors, queryVectors };
}
