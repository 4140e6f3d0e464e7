import { abortable } from "../async.ts";
import type { Entry, Passage } from "./passages.ts";

/** Readable passages: `done` have a vector, of `total`. */
export interface Coverage {
  readonly done: number;
  readonly total: number;
}

/** The coverage of some documents. */
export function coverageOf(entries: readonly Entry[]): Coverage {
  let [done, total] = [0, 0];
  for (const entry of entries) {
    done += entry.embedded;
    total += entry.readable;
  }
  return { done, total };
}

/** A caller that waits until documents are embedded. */
interface Waiter {
  entries: readonly Entry[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: Coverage) => void) | undefined;
  /** The last reported number of embedded passages. */
  reported: number;
}

interface Queued {
  readonly entry: Entry;
  readonly addition: number;
}

/** Passages per call: enough to keep a few workers busy, few enough that a new text is soon embedded. */
const passagesPerCall = 16;

/**
 * Embeds the passages of documents in the background, one batch at a time: the last addition first, and within an addition the
 * shortest documents first.
 */
export class EmbeddingQueue {
  readonly #lacksVector: (passage: Passage) => boolean;
  readonly #embed: (batch: readonly Passage[]) => Promise<void>;
  readonly #waiters = new Set<Waiter>();
  /** In the order of embedding. */
  #entries: Queued[] = [];
  #additions = 0;
  #paused = false;
  #running = false;

  /** @param embed gives each passage of the batch a vector; a rejection stops the queue */
  constructor(lacksVector: (passage: Passage) => boolean, embed: (batch: readonly Passage[]) => Promise<void>) {
    this.#lacksVector = lacksVector;
    this.#embed = embed;
  }

  /** A number for {@link add}, before all earlier additions. */
  newAddition(): number {
    this.#additions += 1;
    return this.#additions;
  }

  /**
   * Queues documents before all earlier additions. {@link run} embeds them.
   * @param addition documents of one addition are embedded shortest first. Default: a new addition
   */
  add(entries: readonly Entry[], addition = this.newAddition()): void {
    this.#entries.push(...entries.map((entry) => ({ entry, addition })));
    this.#entries.sort((a, b) => b.addition - a.addition || a.entry.passages.length - b.entry.passages.length);
  }

  /** Removes documents from the queue and from what callers wait for. */
  remove(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const removed = new Set(entries);
    this.#entries = this.#entries.filter(({ entry }) => !removed.has(entry));
    for (const waiter of this.#waiters) waiter.entries = waiter.entries.filter((entry) => !removed.has(entry));
    this.#notify();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.run();
  }

  /** Embeds the queue until it is empty or paused. A failure stops it and rejects all waiting calls; the rest stays queued. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
        await this.#embed(batch);
        this.#notify();
      }
    } catch (error) {
      for (const { reject } of this.#waiters) reject(error);
    } finally {
      this.#running = false;
    }
  }

  /** Resolves when those of the documents that are not removed are embedded. Rejects when the queue fails, or with the signal's reason. */
  async embedded(entries: readonly Entry[], signal: AbortSignal | undefined, onProgress: Waiter["onProgress"]): Promise<void> {
    let waiter: Waiter | null = null;
    const done = new Promise<void>((resolve, reject) => {
      waiter = { entries, resolve, reject, onProgress, reported: 0 };
      this.#waiters.add(waiter);
    });
    this.#notify();
    void this.run();
    try {
      await abortable(done, signal);
    } finally {
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  #notify(): void {
    for (const waiter of this.#waiters) {
      const progress = coverageOf(waiter.entries);
      if (progress.done > waiter.reported) waiter.onProgress?.(progress);
      waiter.reported = progress.done;
      if (progress.done === progress.total) waiter.resolve();
    }
  }

  /** Empty while paused. Each hash is in it once. A document stays queued until all its passages have vectors. */
  #nextBatch(): Passage[] {
    const batch = new Map<string, Passage>();
    if (this.#paused) return [];
    let done = 0;
    for (const { entry } of this.#entries) {
      const waiting = entry.passages.filter((passage) => this.#lacksVector(passage));
      if (waiting.length === 0 && batch.size === 0) done += 1;
      for (const passage of waiting) {
        if (batch.size === passagesPerCall) break;
        batch.set(passage.hash, passage);
      }
      if (batch.size === passagesPerCall) break;
    }
    this.#entries.splice(0, done);
    return [...batch.values()];
  }
}
