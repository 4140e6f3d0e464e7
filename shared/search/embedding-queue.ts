import { abortable } from "../async.ts";
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

interface Queued {
  readonly entry: Entry;
  readonly addition: number;
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
  /** In the order in which they are embedded. */
  #entries: Queued[] = [];
  #additions = 0;
  #paused = false;
  #running = false;

  /** @param embed gives every passage of the batch its vector, or rejects: then the queue stops */
  constructor(lacksVector: (passage: Passage) => boolean, embed: (batch: readonly Passage[]) => Promise<void>) {
    this.#lacksVector = lacksVector;
    this.#embed = embed;
  }

  /** The number of an addition that comes before all earlier ones. */
  newAddition(): number {
    this.#additions += 1;
    return this.#additions;
  }

  /**
   * Puts documents before all that came earlier, those of the same `addition` among each other shortest first. Default: an
   * addition of their own. They are embedded from the next {@link run} on.
   */
  add(entries: readonly Entry[], addition = this.newAddition()): void {
    this.#entries.push(...entries.map((entry) => ({ entry, addition })));
    this.#entries.sort((a, b) => b.addition - a.addition || a.entry.passages.length - b.entry.passages.length);
  }

  /** Documents are gone, and nobody waits for them any more. */
  remove(gone: readonly Entry[]): void {
    if (gone.length === 0) return;
    const going = new Set(gone);
    this.#entries = this.#entries.filter(({ entry }) => !going.has(entry));
    for (const waiter of this.#waiters) waiter.entries = waiter.entries.filter((entry) => !going.has(entry));
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
    try {
      for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
        await this.#embed(batch);
        this.#tell();
      }
    } catch (error) {
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

  /** None while it is paused. What is embedded alike is in it once. A document stays queued until it has all its vectors. */
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
