import { fuseRankings, fusionDepth, type Ranking, type SearchMode } from "./fusion.ts";
import { type Hit, hitOf, type Strength } from "./hit.ts";
import { type KeywordQuery, keywordQueryOf, queryWords } from "./keyword-query.ts";
import { type FieldTotals, type KeywordScores, type SearchedSegment, scoreKeywords } from "./keyword-search.ts";
import { mergeSteps } from "./merge-segments.ts";
import { OpenSegment } from "./open-segment.ts";
import { passageTest } from "./operators.ts";
import type { Query } from "./query.ts";
import { type Ranked, TopScores } from "./ranking.ts";
import { minRelevance, type RelevanceOf, strongRelevance, weakRelevance } from "./relevance.ts";
import type { DocumentFields, DocumentRecord, Segment } from "./segment.ts";
import { type IndexDocument, SegmentBuilder } from "./segment-builder.ts";
import { bitCount, compareCodePoints } from "./strings.ts";
import { type CodeGeometry, geometryOf, type QueryCode, type ScanCodes, scanCodes, type VectorCode, VectorCodec } from "./vector-codes.ts";

export interface IndexSearchOptions {
  /** Maximum number of hits. Default 10. */
  readonly limit?: number;
  /** Default `hybrid`. */
  readonly mode?: SearchMode;
  /** Filters documents by their fields. Called once per distinct set of fields. Default all. */
  readonly fields?: (fields: DocumentFields) => boolean;
  /** Filters documents by their ids. Default all. */
  readonly ids?: (id: string) => boolean;
  /** Maps the cosines of the query to relevances. Default: no hit has a relevance, and none is left out for it. */
  readonly relevanceOf?: RelevanceOf;
}

/** Maximum passages whose text is compared with the phrases of a query: each may need to be decompressed. */
const maxPhraseChecks = 1000;

/** Called between small pieces of work; a promise that it returns is awaited. */
export type Pause = () => Promise<void> | void;

/** A segment is merged with the one before it once it has at least this share of its passages: sizes grow geometrically. */
const mergeShare = 0.5;

/**
 * An index of documents for keyword, semantic and hybrid search: a list of immutable segments, of which documents are deleted. It computes
 * no vectors: they are set as they become known, and until then a passage is found by keyword.
 *
 * Changes must not overlap: the caller awaits each before the next. Searches and vectors may come in between.
 *
 * @example
 * const index = new SearchIndex();
 * await index.put([{ id: "tides", title: "Tides", text, passages }]);
 * index.setVector(hash, vector);
 * index.search(parseQuery("why does the sea come and go"), queryVector, { limit: 5 });
 */
export class SearchIndex {
  readonly #scan: ScanCodes;
  readonly #pause: Pause;
  /** Null before the first vector. */
  #codec: VectorCodec | null = null;
  #segments: OpenSegment[] = [];

  /**
   * @param scan default: in JavaScript; {@link createScan} makes a faster one
   * @param pause default: changes run without pauses
   */
  constructor({ scan = scanCodes, pause = () => {} }: { readonly scan?: ScanCodes; readonly pause?: Pause } = {}) {
    this.#scan = scan;
    this.#pause = pause;
  }

  /** How vectors are encoded; null before the first. */
  get geometry(): CodeGeometry | null {
    return this.#codec?.geometry ?? null;
  }

  /** The number of passages. */
  get size(): number {
    return this.#totals().passages;
  }

  /** The segments, with what of them is deleted. */
  get segments(): readonly SearchedSegment[] {
    return this.#segments;
  }

  /** All documents, without their texts. */
  *documents(): Iterable<DocumentRecord> {
    for (const { segment, deleted } of this.#segments) {
      for (let document = 0; document < segment.documents; document++) if (!deleted.has(document)) yield segment.document(document);
    }
  }

  /** The text of a document; null if it is unknown. */
  textOf(id: string): string | null {
    const found = this.#find(id);
    return found ? found.open.segment.textOf(found.document) : null;
  }

  /**
   * Adds documents as a new segment. A document replaces the one with the same id, and of equal ids the last counts. A passage whose hash
   * an earlier passage of the index has takes over its vector.
   */
  async put(documents: readonly IndexDocument[]): Promise<void> {
    const latest = new Map(documents.map((document) => [document.id, document]));
    if (latest.size === 0) return;
    const builder = new SegmentBuilder();
    for (const document of latest.values()) builder.add(document);
    const codec = this.#codec;
    const segment = await this.#finished(builder.steps(this.geometry));
    // The first vectors may have come, or all been dropped, while it was built.
    if (codec !== this.#codec) segment.resetCodes(this.geometry);
    this.#copyCodes(segment);
    this.#add(segment);
    await this.#compact();
  }

  /**
   * Adds a segment, whose documents replace those with the same ids. Its codes are dropped if they have another geometry than those of the
   * index.
   */
  async add(segment: Segment): Promise<void> {
    if (segment.documents === 0) return;
    if (segment.geometry && !this.#codec) this.#useGeometry(segment.geometry);
    if (!isSame(segment.geometry, this.geometry)) segment.resetCodes(this.geometry);
    this.#add(segment);
    await this.#compact();
  }

  /** Removes documents; ids that are unknown are ignored. */
  remove(ids: Iterable<string>): void {
    for (const id of ids) {
      const found = this.#find(id);
      found?.open.delete(found.document);
    }
    this.#segments = this.#segments.filter(({ segment, deleted }) => deleted.size < segment.documents);
  }

  /**
   * Sets the vector of all passages with a hash (SHA-256 in hex).
   * @param vector L2-normalized; throws `RangeError` for another length than the index's
   */
  setVector(hash: string, vector: Float32Array): void {
    this.expectDimensions(vector.length);
    const code = this.#codec?.encode(vector);
    if (!code) return;
    for (const { segment } of this.#segments) for (const passage of segment.passagesWithHash(hash)) segment.setCode(passage, code);
  }

  /** The code of the vector of passages with a hash; null if there is none. */
  codeOf(hash: string): VectorCode | null {
    for (const { segment } of this.#segments) {
      for (const passage of segment.passagesWithHash(hash)) {
        const code = segment.codeAt(passage);
        if (code) return code;
      }
    }
    return null;
  }

  /** Prepares for vectors of these dimensions, unless there are vectors already. */
  expectDimensions(dimensions: number): void {
    if (!this.#codec) this.#useGeometry(geometryOf(dimensions));
  }

  /** Drops all vectors. */
  clearVectors(): void {
    this.#codec = null;
    for (const { segment } of this.#segments) segment.resetCodes(null);
  }

  /** Replaces all segments by one, without what is deleted. Answers stay the same. */
  async merge(): Promise<void> {
    await this.#mergeFrom(0);
  }

  /**
   * One segment of the documents whose ids are accepted. It depends on these documents alone, not on how they came into the index.
   */
  async snapshot(accept: (id: string) => boolean = () => true): Promise<Segment> {
    const sources = this.#segments.map(({ segment, deleted }) => {
      const left = new Set(deleted);
      for (let document = 0; document < segment.documents; document++) if (!accept(segment.ids.get(document))) left.add(document);
      return { segment, deleted: left };
    });
    return sources.length === 0 ? new SegmentBuilder().finish(this.geometry) : this.#finished(mergeSteps(sources));
  }

  /**
   * The passages that answer a query, best first. Without a vector the search is by keyword.
   * @param vector the query's, [dimensions] float32, L2-normalized
   */
  search(query: Query, vector: Float32Array | null, options: IndexSearchOptions = {}): Hit[] {
    const { limit = 10, mode = "hybrid", relevanceOf = null } = options;
    const totals = this.#totals();
    if (totals.passages === 0) return [];
    const segments = this.#segments;
    const keywordQuery = keywordQueryOf(
      query,
      segments.map(({ segment }) => segment),
    );
    const test = passageTest(query, segments);
    const accepted = segments.map((open, i) => intersection(this.#accepted(open, options), test.masks[i] ?? null));
    const depth = Math.max(fusionDepth, limit, test.mustRead ? maxPhraseChecks : 0);
    const semantic = vector && mode !== "keyword" ? this.#cosines(vector) : null;
    const keyword = mode === "semantic" && semantic ? null : scoreKeywords(keywordQuery, segments, totals);
    const rankings: Ranking[] = [];
    if (keyword) rankings.push(this.#rankingOf((i) => keyword[i]?.scores ?? noScores, accepted, depth, 0));
    if (semantic) rankings.push(this.#rankingOf((i) => semantic[i] ?? noScores, accepted, depth, noVector));
    const [only] = rankings;
    const ranked = rankings.length === 1 && only ? [...only.best] : this.#sorted(fuseRankings(rankings));
    return this.#hits(ranked, { limit, test, keywordQuery, keyword, semantic, relevanceOf });
  }

  /** Drops irrelevant passages, moves weak ones after the others, and reads the texts of the first. */
  #hits(ranked: readonly Ranked[], context: HitContext): Hit[] {
    const { limit, test, keyword, keywordQuery, semantic, relevanceOf } = context;
    const words = this.#segments.map(({ segment }, place) => queryWords(keywordQuery, segment, place));
    const good: (() => Hit)[] = [];
    const weak: (() => Hit)[] = [];
    for (const { segment: origin, passage } of ranked) {
      const segment = this.#segments[origin]?.segment;
      if (!segment || good.length >= limit) break;
      const estimate = semantic?.[origin]?.[passage] ?? noVector;
      const cosine = estimate > noVector ? estimate : null;
      const relevance = cosine !== null && relevanceOf ? relevanceOf(cosine) : null;
      const matched = keyword?.[origin]?.matched[passage] ?? 0;
      const hasAll = keywordQuery.terms > 0 && bitCount(matched) === keywordQuery.terms;
      // Some words of the query do not make a passage relevant when its vector says otherwise.
      if (!hasAll && (relevance ?? 1) < minRelevance) continue;
      if (test.mustRead && !test.accepts(segment, passage)) continue;
      // Of a cosine without a relevance nobody knows whether it is weak.
      const strength = hasAll ? "strong" : relevance === null && cosine !== null ? "good" : strengthOf(relevance ?? 0);
      const match = { strength, cosine, relevance, words: words[origin] ?? noWords };
      const hit = () => hitOf(segment, passage, match);
      if (strength === "weak") weak.push(hit);
      else good.push(hit);
    }
    return [...good, ...weak].slice(0, limit).map((hit) => hit());
  }

  /** The best passages by scores above `none`, which stands for no score. */
  #rankingOf(scoresOf: (segment: number) => Float64Array, accepted: readonly (Uint8Array | null)[], depth: number, none: number): Ranking {
    const best = this.#segments.flatMap((_, segment) => {
      const scores = scoresOf(segment);
      const mask = accepted[segment];
      const top = new TopScores(depth);
      let least = none;
      for (let passage = 0; passage < scores.length; passage++) {
        const score = scores[passage] ?? none;
        if (score <= least || (mask && mask[passage] === 0)) continue;
        top.add(passage, score);
        least = Math.max(none, top.threshold);
      }
      return top.sorted().map(({ item, score }) => ({ segment, passage: item, score }));
    });
    return {
      best: this.#sorted(best).slice(0, depth),
      scoreOf: ({ segment, passage }) => {
        const score = scoresOf(segment)[passage] ?? none;
        return score > none ? score : null;
      },
    };
  }

  /** Sorts by score; equal scores by document and passage, so that the order does not depend on the segments. */
  #sorted(ranked: readonly Ranked[]): Ranked[] {
    const idOf = ({ segment, passage }: Ranked) => {
      const source = this.#segments[segment]?.segment;
      return source?.ids.get(source.passageDocuments[passage] ?? 0) ?? "";
    };
    return [...ranked].sort((a, b) => {
      if (a.score !== b.score) return b.score - a.score;
      return a.segment === b.segment ? a.passage - b.passage : compareCodePoints(idOf(a), idOf(b));
    });
  }

  /** The cosine of a vector with each passage of a document, null for those without a vector. Null for an unknown document. */
  cosinesIn(id: string, vector: Float32Array): (number | null)[] | null {
    const found = this.#find(id);
    if (!found) return null;
    const { segment } = found.open;
    const [from, to] = segment.passagesOf(found.document);
    const codec = this.#codec;
    if (!codec) return new Array<null>(to - from).fill(null);
    const cosines = this.#cosinesOf(segment, from, to, codec, codec.encodeQuery(vector));
    return Array.from(cosines, (cosine) => (cosine > noVector ? cosine : null));
  }

  /** Cosines of the query with all passages; {@link noVector} for those without a vector. Null if there are no vectors. */
  #cosines(vector: Float32Array): Float64Array[] | null {
    const codec = this.#codec;
    if (!codec) return null;
    const query = codec.encodeQuery(vector);
    return this.#segments.map(({ segment }) => this.#cosinesOf(segment, 0, segment.passages, codec, query));
  }

  #cosinesOf({ arrays }: Segment, from: number, to: number, { bytes, geometry }: VectorCodec, query: QueryCode): Float64Array {
    const products = new Int32Array(to - from);
    this.#scan(arrays.codes.subarray(from * bytes, to * bytes), bytes, query.components, geometry.levels, products);
    const cosines = new Float64Array(to - from);
    for (let i = 0; i < cosines.length; i++) {
      const scale = arrays.codeScales[from + i] ?? 0;
      cosines[i] = scale === 0 ? noVector : (products[i] ?? 0) * (scale * query.scale);
    }
    return cosines;
  }

  /** A mask of the passages that are live and pass the filters; null if all do. */
  #accepted({ segment, deleted, live }: OpenSegment, { fields, ids }: IndexSearchOptions): Uint8Array | null {
    if (!fields && !ids) return live;
    const rows = Array.from({ length: segment.fieldRows }, (_, row) => !fields || fields(segment.fieldsAt(row)));
    const mask = new Uint8Array(segment.passages);
    for (let document = 0; document < segment.documents; document++) {
      if (deleted.has(document) || !rows[segment.arrays.documentFields[document] ?? 0]) continue;
      if (!ids || ids(segment.ids.get(document))) mask.fill(1, ...segment.passagesOf(document));
    }
    return mask;
  }

  #find(id: string): { readonly open: OpenSegment; readonly document: number } | null {
    for (const open of this.#segments) {
      const document = open.segment.ids.find(id);
      if (document !== -1 && !open.deleted.has(document)) return { open, document };
    }
    return null;
  }

  #useGeometry(geometry: CodeGeometry): void {
    this.#codec = new VectorCodec(geometry);
    for (const { segment } of this.#segments) segment.resetCodes(geometry);
  }

  #add(segment: Segment): void {
    this.remove(segment.ids);
    this.#segments.push(new OpenSegment(segment));
  }

  /** Gives passages without a code the one of an earlier passage with the same hash. */
  #copyCodes(segment: Segment): void {
    if (!this.#codec) return;
    for (let passage = 0; passage < segment.passages; passage++) {
      const code = segment.hasCode(passage) ? null : this.codeOf(segment.hashOf(passage));
      if (code) segment.setCode(passage, code);
    }
  }

  /** Merges the last segments, as long as each has at least a share of the passages of the one before it. */
  async #compact(): Promise<void> {
    const sizes = this.#segments.map(({ totals }) => totals.passages);
    let first = sizes.length - 1;
    let size = sizes[first] ?? 0;
    while (first > 0 && size >= mergeShare * (sizes[first - 1] ?? 0)) {
      first -= 1;
      size += sizes[first] ?? 0;
    }
    if (first < sizes.length - 1) await this.#mergeFrom(first);
  }

  async #mergeFrom(first: number): Promise<void> {
    const merged = this.#segments.slice(first);
    const [only] = merged;
    if (!only || (merged.length === 1 && only.deleted.size === 0)) return;
    const segment = await this.#finished(mergeSteps(merged));
    this.#segments.splice(first, merged.length, new OpenSegment(segment));
  }

  /** Runs a generator to its end, with pauses. */
  async #finished<T>(steps: Generator<void, T>): Promise<T> {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      await this.#pause();
    }
  }

  #totals(): FieldTotals {
    const totals = { passages: 0, title: 0, headings: 0, text: 0 };
    for (const open of this.#segments) {
      totals.passages += open.totals.passages;
      totals.title += open.totals.title;
      totals.headings += open.totals.headings;
      totals.text += open.totals.text;
    }
    return totals;
  }
}

interface HitContext {
  readonly limit: number;
  readonly test: ReturnType<typeof passageTest>;
  readonly keywordQuery: KeywordQuery;
  /** Null where words of the query count for nothing. */
  readonly keyword: readonly KeywordScores[] | null;
  readonly semantic: readonly Float64Array[] | null;
  readonly relevanceOf: RelevanceOf | null;
}

function strengthOf(relevance: number): Strength {
  return relevance >= strongRelevance ? "strong" : relevance >= weakRelevance ? "good" : "weak";
}

/** Below all cosines, whose estimates may be slightly beyond -1. */
const noVector = -2;

const noWords: ReadonlySet<string> = new Set();

const noScores = new Float64Array();

/** Whether codes of both geometries can be compared. */
function isSame(a: CodeGeometry | null, b: CodeGeometry | null): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** The mask of passages that are in both masks; null for all. */
function intersection(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  return a && b ? a.map((value, i) => value & (b[i] ?? 0)) : (a ?? b);
}
