import { abortable } from "../encoder/encoder.ts";
import type { Entry, Passage } from "./passages.ts";

/** Passages that can be found by meaning, of those that will be. */
export interface Coverage {
  readonly done: number;
  readonly total: number;
}

/** Of some documents: passages that the model cannot read do not count. */
export function coverageOf(entries: readonly Entry[]): Coverage {
  let [done, total] = [0, 0];
  for (const entry of entries) {
    done += entry.embedded;
    total += entry.readable;
  }
  return { done, total };
}

/** Who waits for documents to be embedded. */
interface Waiter {
  entries: readonly Entry[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: Coverage) => void) | undefined;
  /** How many passages it has been told of. */
  told: number;
}

/** Passages embedded in one call: enough to keep a few workers busy, few enough that a new text is soon searchable. */
const passagesPerCall = 16;

/**
 * Documents whose passages are to be embedded, one batch at a time: what was added last before what came earlier, and of
 * what was added together the shorter ones first.
 */
export class EmbeddingQueue {
  readonly #lacksVector: (passage: Passage) => boolean;
  readonly #embed: (batch: readonly Passage[]) => Promise<void>;
  readonly #waiters = new Set<Waiter>();
  #entries: Entry[] = [];
  #paused = false;
  #running = false;

  /** @param embed gives every passage of the batch its vector, or rejects: then the queue stops */
  constructor(lacksVector: (passage: Passage) => boolean, embed: (batch: readonly Passage[]) => Promise<void>) {
    this.#lacksVector = lacksVector;
    this.#embed = embed;
  }

  /** Puts documents before all others. They are embedded from the next {@link run} on. */
  add(entries: readonly Entry[]): void {
    this.#entries.unshift(...entries.toSorted((a, b) => a.passages.length - b.passages.length));
  }

  /** A document is gone, and nobody waits for it any more. */
  remove(gone: Entry): void {
    this.#entries = this.#entries.filter((entry) => entry !== gone);
    for (const waiter of this.#waiters) waiter.entries = waiter.entries.filter((entry) => entry !== gone);
    this.#tell();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.run();
  }

  /** Embeds what is queued, until it is paused. A failure ends it and is told to those who wait; what is left stays queued. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    let batch: readonly Passage[] = [];
    try {
      for (batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
        await this.#embed(batch);
        this.#tell();
      }
    } catch (error) {
      this.#entries.unshift(...new Set(batch.map(({ entry }) => entry)));
      for (const { reject } of this.#waiters) reject(error);
    } finally {
      this.#running = false;
    }
  }

  /** Resolves when the documents, as far as they are still there, are embedded. Rejects when the queue stops before, or as `signal` says. */
  async embedded(entries: readonly Entry[], signal: AbortSignal | undefined, onProgress: Waiter["onProgress"]): Promise<void> {
    let waiter: Waiter | null = null;
    const done = new Promise<void>((resolve, reject) => {
      waiter = { entries, resolve, reject, onProgress, told: 0 };
      this.#waiters.add(waiter);
    });
    this.#tell();
    void this.run();
    try {
      await abortable(done, signal);
    } finally {
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  #tell(): void {
    for (const waiter of this.#waiters) {
      const progress = coverageOf(waiter.entries);
      if (progress.done > waiter.told) waiter.onProgress?.(progress);
      waiter.told = progress.done;
      if (progress.done === progress.total) waiter.resolve();
    }
  }

  /** None while it is paused. What is embedded alike is in it once. */
  #nextBatch(): Passage[] {
    const batch = new Map<string, Passage>();
    while (!this.#paused && batch.size < passagesPerCall) {
      const waiting = this.#entries[0]?.passages.filter((passage) => !batch.has(passage.hash) && this.#lacksVector(passage));
      if (!waiting) break;
      for (const passage of waiting) {
        if (batch.size === passagesPerCall) break;
        batch.set(passage.hash, passage);
      }
      if (batch.size < passagesPerCall) this.#entries.shift();
    }
    return [...batch.values()];
  }
}
