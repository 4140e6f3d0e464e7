/** Some texts of one request, by index, to be computed next. */
export interface Turn<Request> {
  readonly request: Request;
  readonly indexes: number[];
}

/**
 * Which text is computed next. Interactive requests (a few texts) go before bulk ones; within each lane the requests
 * take turns, so that a huge one delays the others by one turn and no more.
 */
export class TextQueue<Request extends { readonly texts: readonly string[] }> {
  /** Requests to the indexes that still wait, in reverse. A Map keeps insertion order: its first entry has the turn. */
  readonly #interactive = new Map<Request, number[]>();
  readonly #bulk = new Map<Request, number[]>();
  readonly #interactiveTexts: number;

  /** @param interactiveTexts the most texts of a request that counts as interactive */
  constructor(interactiveTexts: number) {
    this.#interactiveTexts = interactiveTexts;
  }

  /** Texts that wait. */
  get size(): number {
    let size = 0;
    for (const lane of [this.#interactive, this.#bulk]) for (const waiting of lane.values()) size += waiting.length;
    return size;
  }

  add(request: Request): void {
    this.#laneOf(request).set(request, Array.from(request.texts.keys()).reverse());
  }

  /** Texts that were handed out and must be computed again: they come first when their request has its turn. */
  putBack(request: Request, indexes: readonly number[]): void {
    const lane = this.#laneOf(request);
    const waiting = lane.get(request);
    const again = [...indexes].reverse();
    if (waiting) waiting.push(...again);
    else lane.set(request, again);
  }

  /** Takes up to `limit` texts of the request whose turn it is. Null when nothing waits. */
  next(limit: number): Turn<Request> | null {
    for (const lane of [this.#interactive, this.#bulk]) {
      const first = lane.entries().next();
      if (first.done) continue;
      const [request, waiting] = first.value;
      lane.delete(request);
      const indexes = waiting.splice(-limit).reverse();
      if (waiting.length > 0) lane.set(request, waiting);
      return { request, indexes };
    }
    return null;
  }

  remove(request: Request): void {
    this.#laneOf(request).delete(request);
  }

  /** Empties the queue and returns whose texts still waited. */
  drain(): Request[] {
    const requests = [...this.#interactive.keys(), ...this.#bulk.keys()];
    this.#interactive.clear();
    this.#bulk.clear();
    return requests;
  }

  #laneOf(request: Request): Map<Request, number[]> {
    return request.texts.length <= this.#interactiveTexts ? this.#interactive : this.#bulk;
  }
}
