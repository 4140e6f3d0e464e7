import type { SearchedSegment } from "./keyword-search.ts";
import type { Segment } from "./segment.ts";

/** A segment with its deleted documents. */
export class OpenSegment implements SearchedSegment {
  readonly segment: Segment;
  readonly deleted = new Set<number>();
  live: Uint8Array | null = null;
  /** Of the live passages. */
  readonly totals = { passages: 0, title: 0, headings: 0, text: 0 };

  constructor(segment: Segment) {
    this.segment = segment;
    this.#count(0, segment.passages, 1);
  }

  delete(document: number): void {
    if (this.deleted.has(document)) return;
    this.deleted.add(document);
    const [from, to] = this.segment.passagesOf(document);
    this.live ??= new Uint8Array(this.segment.passages).fill(1);
    this.live.fill(0, from, to);
    this.#count(from, to, -1);
  }

  #count(from: number, to: number, sign: 1 | -1): void {
    const { titleLengths, headingLengths, textLengths } = this.segment.arrays;
    this.totals.passages += sign * (to - from);
    for (let passage = from; passage < to; passage++) {
      this.totals.title += sign * (titleLengths[passage] ?? 0);
      this.totals.headings += sign * (headingLengths[passage] ?? 0);
      this.totals.text += sign * (textLengths[passage] ?? 0);
    }
  }
}
