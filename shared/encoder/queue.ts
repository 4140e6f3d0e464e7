/** A text of a request, by its index. */
export interface QueuedText<Request> {
  readonly request: Request;
  readonly index: number;
}

/** The properties of a request that the queue reads. */
export interface QueuedRequest {
  /** Estimated tokens of each text. */
  readonly tokens: readonly number[];
  /** Whether a person waits for the answer: see {@link isInteractive}. */
  readonly interactive: boolean;
  /** Indexes of texts that are to be computed alone. */
  readonly alone: ReadonlySet<number>;
  /** Whether its texts may be computed together with those of other requests. */
  readonly mergeable: boolean;
}

/**
 * The largest interactive request. Characters are UTF-16 units of all its texts together, since tokens are not known before a worker has
 * read them: about 250 tokens of English, 40 ms on one core.
 */
const interactiveLimits = { texts: 4, characters: 1_000 };

/** Whether a request is small enough to be a person's query. Texts of a bulk job that are sent one by one are too long for that. */
export function isInteractive(texts: readonly string[]): boolean {
  if (texts.length > interactiveLimits.texts) return false;
  return texts.reduce((sum, text) => sum + text.length, 0) <= interactiveLimits.characters;
}

/** Share of the limits of pending work that is reserved for interactive requests. */
export const interactiveShare = 0.1;

/** How much a worker takes at once. */
export interface BatchSize {
  /** Maximum texts, and maximum estimated tokens of several texts. */
  readonly texts: number;
  readonly tokens: number;
  /** Number of workers that share what is queued. */
  readonly workers: number;
}

/**
 * Decides which texts are computed next. Interactive requests come before bulk ones; within each kind, requests take turns, so a large
 * request does not block a small one. A request that has been queued for longer than the queue's patience comes before all younger ones.
 */
export class TextQueue<Request extends QueuedRequest> {
  readonly #patience: number;
  /**
   * Requests to the indexes of their queued texts, in reverse order. A Map keeps insertion order: its first entry is next. The longest
   * text of a request comes first, so that its last batches are short.
   */
  readonly #interactive = new Map<Request, number[]>();
  readonly #bulk = new Map<Request, number[]>();
  /** When each request that has not been removed was added, oldest first. */
  readonly #added = new Map<Request, number>();

  /** @param patience ms after which a request no longer takes turns with younger ones. Default: it always does. */
  constructor(patience = Number.POSITIVE_INFINITY) {
    this.#patience = patience;
  }

  /** Number of queued texts. */
  get size(): number {
    return sizeOf(this.#interactive) + sizeOf(this.#bulk);
  }

  /** A request stays known until it is removed: its texts may be put back. */
  add(request: Request): void {
    const tokensOf = (index: number) => request.tokens[index] ?? 0;
    const indexes = Array.from(request.tokens.keys()).sort((a, b) => tokensOf(a) - tokensOf(b) || b - a);
    this.#queueOf(request).set(request, indexes);
    this.#added.set(request, performance.now());
  }

  /**
   * Queues texts again that were taken. They come first when it is their request's turn, and an interactive request that had none left
   * is next. Ignores a request that was removed.
   */
  putBack(request: Request, indexes: readonly number[]): void {
    if (!this.#added.has(request) || indexes.length === 0) return;
    const queue = this.#queueOf(request);
    const queued = queue.get(request);
    const isNext = request.interactive && !queued;
    const others = isNext ? [...queue] : [];
    if (isNext) queue.clear();
    queue.set(request, [...(queued ?? []), ...indexes.toReversed()]);
    for (const [other, texts] of others) queue.set(other, texts);
  }

  /**
   * Takes the next texts: of one request, or of several interactive ones. Empty when nothing is queued.
   * @param kinds whether interactive requests and bulk requests are taken
   */
  next(size: BatchSize, kinds = { interactive: true, bulk: true }): QueuedText<Request>[] {
    const overdue = this.#overdue(kinds);
    if (overdue) return this.#take(this.#queueOf(overdue), overdue, size);
    const batch = kinds.interactive ? this.#nextInteractive(size) : [];
    if (batch.length > 0 || !kinds.bulk) return batch;
    const [request] = this.#bulk.keys();
    return request ? this.#take(this.#bulk, request, size) : [];
  }

  /** Takes the texts of the oldest interactive request, and of others that can share its batch. */
  #nextInteractive(size: BatchSize): QueuedText<Request>[] {
    const [oldest] = this.#interactive.keys();
    if (!oldest) return [];
    const share = Math.ceil(sizeOf(this.#interactive) / size.workers);
    const batch = this.#take(this.#interactive, oldest, size);
    if (!isMergeable(oldest)) return batch;
    const length = oldest.tokens[batch[0]?.index ?? 0];
    // Texts of one length share a run on every device. Others share one only where runs need no padding: they share a few.
    if (batch.every(({ index }) => oldest.tokens[index] === length)) {
      const fits = ({ tokens }: Request) => tokens.every((count) => count === length);
      this.#merge(batch, Math.min(size.texts, share, maxMerged.equal), size, fits);
    }
    this.#merge(batch, Math.min(size.texts, share, maxMerged.any), size, () => true);
    return batch;
  }

  /** Adds whole requests to a batch until it has `max` texts. */
  #merge(batch: QueuedText<Request>[], max: number, size: BatchSize, fits: (request: Request) => boolean): void {
    let tokens = batch.reduce((sum, { request, index }) => sum + (request.tokens[index] ?? 0), 0);
    let examined = 0;
    for (const [request, queued] of this.#interactive) {
      if (batch.length >= max || examined === maxExamined) return;
      examined += 1;
      const added = request.tokens.reduce((sum, count) => sum + count, 0);
      if (!isMergeable(request) || !fits(request) || batch.length + queued.length > max || tokens + added > size.tokens) continue;
      this.#interactive.delete(request);
      for (const index of queued.toReversed()) batch.push({ request, index });
      tokens += added;
    }
  }

  remove(request: Request): void {
    this.#queueOf(request).delete(request);
    this.#added.delete(request);
  }

  /** Removes all requests and returns those that had queued texts. */
  drain(): Request[] {
    const requests = [...this.#interactive.keys(), ...this.#bulk.keys()];
    for (const request of requests) this.remove(request);
    return requests;
  }

  #queueOf(request: Request): Map<Request, number[]> {
    return request.interactive ? this.#interactive : this.#bulk;
  }

  #overdue(kinds: { readonly interactive: boolean; readonly bulk: boolean }): Request | null {
    const overdue = performance.now() - this.#patience;
    for (const [request, added] of this.#added) {
      if (added > overdue) return null;
      // A request without queued texts is being computed: there are no more of these than workers.
      if (kinds[request.interactive ? "interactive" : "bulk"] && this.#queueOf(request).has(request)) return request;
    }
    return null;
  }

  #take(queue: Map<Request, number[]>, request: Request, size: BatchSize): QueuedText<Request>[] {
    const queued = queue.get(request) ?? [];
    queue.delete(request);
    const indexes = queued.splice(-batchSize(request, queued, size)).reverse();
    if (queued.length > 0) queue.set(request, queued);
    return indexes.map((index) => ({ request, index }));
  }
}

/**
 * Maximum texts of merged requests: of one length, which share a run, and of any, which share the way to the worker. More texts of any
 * length would make the first of them wait for the last.
 */
const maxMerged = { equal: 8, any: 4 };

/** Requests that are examined for a batch: enough to find some of one length. */
const maxExamined = 64;

const isMergeable = ({ mergeable, alone }: QueuedRequest) => mergeable && alone.size === 0;

function sizeOf(queue: ReadonlyMap<unknown, readonly number[]>): number {
  let size = 0;
  for (const { length } of queue.values()) size += length;
  return size;
}

/**
 * How many of a request's queued texts make a batch: at least one, and at most a worker's share of half of what is left, so that all
 * workers end together (guided self-scheduling: Polychronopoulos and Kuck, 1987).
 */
function batchSize({ tokens, alone }: QueuedRequest, queued: readonly number[], size: BatchSize): number {
  const share = size.workers > 1 ? Math.ceil(queued.length / (2 * size.workers)) : queued.length;
  const max = Math.min(size.texts, share);
  let count = 0;
  let sum = 0;
  for (let place = queued.length - 1; place >= 0 && count < max; place--) {
    const index = queued[place] ?? 0;
    sum += tokens[index] ?? 0;
    if (count > 0 && (sum > size.tokens || alone.has(index))) break;
    count += 1;
    if (alone.has(index)) break;
  }
  return count;
}
