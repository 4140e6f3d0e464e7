/** Some texts of one request, by index, to be computed next. */
export interface Turn<Request> {
  readonly request: Request;
  readonly indexes: number[];
}

/** Requests that somebody waits for, and all others. */
export type Lane = "interactive" | "bulk";

/**
 * The largest request that is interactive: a question or a few. Characters are UTF-16 units of all its texts together, as
 * tokens are not known before a worker has read them: some 250 tokens of English, 40 ms on one core.
 */
const interactiveLimits = { texts: 4, characters: 1_000 };

/** A bulk job whose client sends its texts one by one is still bulk: that is why characters count as well. */
export function laneOf(texts: readonly string[]): Lane {
  if (texts.length > interactiveLimits.texts) return "bulk";
  return texts.reduce((sum, text) => sum + text.length, 0) > interactiveLimits.characters ? "bulk" : "interactive";
}

/** Characters, in UTF-16 units, of a text whose words are counted. */
const countedCharacters = 256;

/**
 * Tokens of each text as far as they can be told without a tokenizer, which belongs in a worker. Short texts are estimated by their words
 * and signs, so that those of one length are handed over together; long ones by some four characters a token.
 */
export function estimatedTokens(texts: readonly string[]): number[] {
  return texts.map((text) => (text.length > countedCharacters ? Math.ceil(text.length / 4) : specialTokens + wordsAndSigns(text)));
}

const specialTokens = 2;

/** Runs of letters and digits, and all signs and characters of East Asian scripts, which are tokens by themselves. */
function wordsAndSigns(text: string): number {
  let count = 0;
  let inWord = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isSpace = code <= 32;
    const isAlone = (code < 128 && !isLetterOrDigit(code)) || code >= 0x2e80;
    if (!isSpace && (isAlone || !inWord)) count += 1;
    inWord = !isSpace && !isAlone;
  }
  return count;
}

const isLetterOrDigit = (code: number) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

/** How much is handed to a worker at once. */
export interface TurnSize {
  /** The most texts, and the most tokens, as far as they are known, of several. The worker computes as many as share a run. */
  readonly texts: number;
  readonly tokens: number;
  /** How many workers share what waits. */
  readonly workers: number;
}

/**
 * Which text is computed next. Interactive requests go before bulk ones; within each lane the requests take turns, so
 * that a huge one delays the others by one turn and no more. Under a load that never ends, turns alone would starve a
 * large request for ever, and the interactive lane the bulk one: a request that is older than the queue's patience goes
 * before all that came after it.
 */
export class TextQueue<Request extends { readonly tokens: readonly number[]; readonly lane: Lane }> {
  readonly #patience: number;
  /**
   * Requests to the indexes that still wait, in reverse. A Map keeps insertion order: its first entry has the turn. The
   * longest text of a request comes first, so that the last turns are short.
   */
  readonly #lanes: { readonly [lane in Lane]: Map<Request, number[]> } = { interactive: new Map(), bulk: new Map() };
  /** When each request that has not been removed was added, oldest first. */
  readonly #added = new Map<Request, number>();

  /** @param patience ms after which a request no longer shares its turns with younger ones. Default: it always does. */
  constructor(patience = Number.POSITIVE_INFINITY) {
    this.#patience = patience;
  }

  /** Texts that wait. */
  get size(): number {
    let size = 0;
    for (const lane of Object.values(this.#lanes)) for (const waiting of lane.values()) size += waiting.length;
    return size;
  }

  /** A request stays known until it is removed: its texts may be put back. */
  add(request: Request): void {
    const { tokens, lane } = request;
    const tokensOf = (index: number) => tokens[index] ?? 0;
    this.#lanes[lane].set(
      request,
      Array.from(tokens.keys()).sort((a, b) => tokensOf(a) - tokensOf(b) || b - a),
    );
    this.#added.set(request, performance.now());
  }

  /**
   * Texts that were handed out and are still to be computed: they come first when their request has its turn. Nothing where the request
   * was removed meanwhile.
   */
  putBack(request: Request, indexes: readonly number[]): void {
    if (!this.#added.has(request)) return;
    const lane = this.#lanes[request.lane];
    const waiting = lane.get(request);
    const again = [...indexes].reverse();
    if (waiting) waiting.push(...again);
    else lane.set(request, again);
  }

  /** Takes the next texts of the request whose turn it is. Null when nothing waits. */
  next(size: TurnSize): Turn<Request> | null {
    return this.#nextOverdue(size) ?? this.#nextOf("interactive", size) ?? this.#nextOf("bulk", size);
  }

  /** The same, of interactive requests alone. */
  nextInteractive(size: TurnSize): Turn<Request> | null {
    return this.#nextOf("interactive", size);
  }

  remove(request: Request): void {
    this.#lanes[request.lane].delete(request);
    this.#added.delete(request);
  }

  /** Removes the requests whose texts still waited, and returns them. */
  drain(): Request[] {
    const requests = Object.values(this.#lanes).flatMap((lane) => [...lane.keys()]);
    for (const request of requests) this.remove(request);
    return requests;
  }

  #nextOverdue(size: TurnSize): Turn<Request> | null {
    const overdue = performance.now() - this.#patience;
    for (const [request, added] of this.#added) {
      if (added > overdue) return null;
      // Those without are being computed: no more than there are workers.
      if (this.#lanes[request.lane].has(request)) return this.#take(request, size);
    }
    return null;
  }

  #nextOf(lane: Lane, size: TurnSize): Turn<Request> | null {
    const first = this.#lanes[lane].keys().next();
    return first.done ? null : this.#take(first.value, size);
  }

  #take(request: Request, size: TurnSize): Turn<Request> {
    const lane = this.#lanes[request.lane];
    const waiting = lane.get(request) ?? [];
    lane.delete(request);
    const indexes = waiting.splice(-textsOfTurn(request.tokens, waiting, size)).reverse();
    if (waiting.length > 0) lane.set(request, waiting);
    return { request, indexes };
  }
}

/**
 * How many of the texts that wait make one turn: at least one, and no more than a worker's share of half of what is left, so that all
 * workers end together (guided self-scheduling: Polychronopoulos and Kuck, 1987).
 */
function textsOfTurn(tokens: readonly number[], waiting: readonly number[], size: TurnSize): number {
  const share = size.workers > 1 ? Math.ceil(waiting.length / (2 * size.workers)) : waiting.length;
  const most = Math.min(size.texts, share);
  let count = 0;
  let sum = 0;
  for (let place = waiting.length - 1; place >= 0 && count < most; place--) {
    sum += tokens[waiting[place] ?? 0] ?? 0;
    if (count > 0 && sum > size.tokens) break;
    count += 1;
  }
  return count;
}
