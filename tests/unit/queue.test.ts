import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { type BatchSize, isInteractive, type QueuedText, TextQueue } from "../../shared/encoder/queue.ts";
import { estimateTokens } from "../../shared/encoder/token-estimate.ts";

interface NamedRequest {
  readonly name: string;
  readonly tokens: readonly number[];
  readonly interactive: boolean;
  readonly mergeable: boolean;
  readonly alone: Set<number>;
}

const oneText = { texts: 1, tokens: Number.POSITIVE_INFINITY, workers: 1 };
/** The limits of a single worker that takes up to `texts` texts of any length. */
const upTo = (texts: number) => ({ ...oneText, texts });

const requestOf = (name: string, tokens: readonly number[], options: Partial<NamedRequest> = {}): NamedRequest => ({
  name,
  tokens,
  interactive: false,
  mergeable: true,
  alone: new Set(),
  ...options,
});
const interactiveOnly = { interactive: true, bulk: false };
const bulkOnly = { interactive: false, bulk: true };
const bulk = (name: string, count: number) => requestOf(name, Array<number>(count).fill(6));
const interactive = (name: string, ...tokens: number[]) => requestOf(name, tokens, { interactive: true });

const bulkRequests = fc
  .array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })
  .map((counts) => counts.map((count, i) => bulk(`r${i}`, count)));

const queueOf = (requests: readonly NamedRequest[], patience?: number) => {
  const queue = new TextQueue<NamedRequest>(patience);
  for (const request of requests) queue.add(request);
  return queue;
};

/** Takes batches until nothing is queued. */
function takeAll(queue: TextQueue<NamedRequest>, size: BatchSize): QueuedText<NamedRequest>[][] {
  const batches: QueuedText<NamedRequest>[][] = [];
  for (let batch = queue.next(size); batch.length > 0; batch = queue.next(size)) batches.push(batch);
  return batches;
}

const namesOf = (batch: readonly QueuedText<NamedRequest>[]) => batch.map(({ request }) => request.name);
const indexesOf = (batch: readonly QueuedText<NamedRequest>[]) => batch.map(({ index }) => index);
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

afterEach(() => {
  vi.useRealTimers();
});

test("the queue hands out every text once, with texts of one length in the order of their request", () => {
  fc.assert(
    fc.property(bulkRequests, fc.integer({ min: 1, max: 7 }), (requests, limit) => {
      const queue = queueOf(requests);
      const batches = takeAll(queue, upTo(limit));
      for (const batch of batches) {
        expect(batch.length).toBeLessThanOrEqual(limit);
        expect(new Set(namesOf(batch)).size).toBe(1);
      }
      for (const request of requests) {
        const texts = batches.flat().filter((text) => text.request === request);
        expect(indexesOf(texts)).toEqual([...request.tokens.keys()]);
      }
      expect(queue.size).toBe(0);
    }),
  );
});

test("no bulk request waits for more than one batch of each other request", () => {
  fc.assert(
    fc.property(bulkRequests, (requests) => {
      const order = takeAll(queueOf(requests), oneText).flatMap(namesOf);
      for (const { name } of requests) {
        const places = order.flatMap((other, place) => (other === name ? [place] : []));
        for (const [i, place] of places.entries()) expect(place - (places[i - 1] ?? -1)).toBeLessThanOrEqual(requests.length);
      }
    }),
  );
});

test("texts returned to the queue come first on their request's next turn, even when none of its texts were left", () => {
  const request = bulk("bulk", 6);
  const queue = queueOf([request]);
  expect(indexesOf(queue.next(upTo(2)))).toEqual([0, 1]);
  queue.putBack(request, [0, 1]);
  expect(indexesOf(queue.next(upTo(3)))).toEqual([0, 1, 2]);
  expect(indexesOf(queue.next(upTo(9)))).toEqual([3, 4, 5]);
  queue.putBack(request, [4]);
  expect(queue.next(upTo(9))).toEqual([{ request, index: 4 }]);
});

test("a request removed from the queue has no queued texts and accepts none back", () => {
  const [a, b] = [bulk("a", 2), bulk("b", 20)];
  const queue = queueOf([a, b]);
  queue.remove(a);
  queue.putBack(a, [0, 1]);
  expect(queue.size).toBe(20);
  expect(namesOf(queue.next(oneText))).toEqual(["b"]);
});

test("drain removes and returns the requests with queued texts, interactive ones first", () => {
  const [a, b] = [bulk("a", 20), interactive("b", 6)];
  const queue = queueOf([a, b]);
  expect(queue.drain()).toEqual([b, a]);
  queue.putBack(b, [0]);
  expect(queue.next(oneText)).toEqual([]);
});

test("drain keeps a request whose texts are all handed out, since they may be returned", () => {
  const computed = bulk("computed", 2);
  const queue = queueOf([computed]);
  queue.next(upTo(2));
  expect(queue.drain()).toEqual([]);
  queue.putBack(computed, [0, 1]);
  expect(indexesOf(queue.next(upTo(2)))).toEqual([0, 1]);
});

test("the queue can hand out bulk texts while interactive ones are queued", () => {
  const queue = queueOf([interactive("query", 6), bulk("bulk", 2)]);
  expect(namesOf(queue.next(upTo(9), bulkOnly))).toEqual(["bulk", "bulk"]);
  expect(queue.next(upTo(9), bulkOnly)).toEqual([]);
  expect(namesOf(queue.next(upTo(9)))).toEqual(["query"]);
});

test("the queue hands out interactive texts before bulk texts, or alone on request", () => {
  const queue = queueOf([bulk("bulk", 2), interactive("query", 6, 6)]);
  expect(namesOf(queue.next(oneText))).toEqual(["query"]);
  expect(namesOf(queue.next(upTo(9), interactiveOnly))).toEqual(["query"]);
  expect(queue.next(upTo(9), interactiveOnly)).toEqual([]);
  expect(namesOf(queue.next(upTo(9)))).toEqual(["bulk", "bulk"]);
});

test("a request older than the patience is served before all younger ones until it is done", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const old = bulk("old", 5);
  const queue = queueOf([old], 100);
  vi.advanceTimersByTime(50);
  queue.add(bulk("bulk", 5));
  queue.add(interactive("query", 6, 6));
  const next = (count: number) => Array.from({ length: count }, () => namesOf(queue.next(oneText))).flat();
  expect(next(4)).toEqual(["query", "query", "old", "bulk"]);
  queue.add(interactive("another query", 6));
  vi.advanceTimersByTime(50);
  expect(next(3)).toEqual(["old", "old", "old"]);
  queue.putBack(old, [4]);
  expect(namesOf(queue.next(oneText, interactiveOnly))).toEqual(["another query"]);
  expect(next(3)).toEqual(["old", "old", "bulk"]);
});

test("no request of any size starves while others keep arriving", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const others = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), others, (size, counts) => {
      const victim = bulk("victim", size);
      const queue = queueOf([victim], 20);
      let left = size;
      for (let ms = 0; left > 0; ms++) {
        // Each ms one text is taken and at least one is added.
        for (const count of counts) queue.add(count > 4 ? bulk("other", count) : interactive("other", ...Array<number>(count).fill(6)));
        if (queue.next(oneText)[0]?.request === victim) left -= 1;
        vi.advanceTimersByTime(1);
        expect(ms).toBeLessThanOrEqual(20 + size);
      }
    }),
  );
});

test("a request of at most four texts and 1,000 characters is interactive", () => {
  expect(isInteractive(["a question"])).toBe(true);
  expect(isInteractive(Array(4).fill("x".repeat(250)))).toBe(true);
  expect(isInteractive(Array(5).fill("x"))).toBe(false);
  expect(isInteractive(["x".repeat(1_001)])).toBe(false);
});

const batchSizes = fc.record({
  texts: fc.integer({ min: 1, max: 32 }),
  tokens: fc.integer({ min: 1, max: 2048 }),
  workers: fc.integer({ min: 1, max: 8 }),
});

test("a bulk batch takes the longest queued texts that fit, at most a worker's share of half the remaining texts", () => {
  const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(lengths, batchSizes, (tokens, size) => {
      const taken: number[] = [];
      for (const batch of takeAll(queueOf([requestOf("bulk", tokens)]), size)) {
        const left = tokens.length - taken.length;
        const max = Math.min(size.texts, size.workers === 1 ? left : Math.ceil(left / (2 * size.workers)));
        const found = sum(indexesOf(batch).map((index) => tokens[index] ?? 0));
        expect(batch.length).toBeLessThanOrEqual(max);
        if (batch.length > 1) expect(found).toBeLessThanOrEqual(size.tokens);
        taken.push(...indexesOf(batch));
        // One more text would not have fitted.
        const [next] = tokens.toSorted((a, b) => b - a).slice(taken.length);
        if (batch.length < max && next !== undefined) expect(found + next).toBeGreaterThan(size.tokens);
      }
      expect(taken.toSorted((a, b) => a - b)).toEqual([...tokens.keys()]);
      expect(taken.map((index) => tokens[index])).toEqual(tokens.toSorted((a, b) => b - a));
    }),
  );
});

test("two workers share a request of 20 texts, and a single worker takes all of them", () => {
  const batchOf = (workers: number) => queueOf([bulk("bulk", 20)]).next({ texts: 32, tokens: 512, workers });
  expect(batchOf(2)).toHaveLength(5);
  expect(batchOf(1)).toHaveLength(20);
});

test("a text that must be computed alone shares no batch with other texts of its request", () => {
  const request = requestOf("bulk", Array<number>(6).fill(6), { alone: new Set([2]) });
  expect(takeAll(queueOf([request]), upTo(9)).map(indexesOf)).toEqual([[0, 1], [2], [3, 4, 5]]);
});

const queries = (lengths: readonly number[]) => lengths.map((length, i) => interactive(`q${i}`, length));

test("up to eight interactive texts of one length share a batch, those of the oldest request first", () => {
  const queue = queueOf(queries(Array<number>(20).fill(6)));
  const names = Array.from({ length: 20 }, (_, i) => `q${i}`);
  expect(takeAll(queue, upTo(32)).map(namesOf)).toEqual([names.slice(0, 8), names.slice(8, 16), names.slice(16)]);
});

test("interactive texts of the oldest request's length are merged before those of other lengths", () => {
  const queue = queueOf(queries([6, 9, 7, 6, 8, 6]));
  expect(takeAll(queue, upTo(32)).map(namesOf)).toEqual([
    ["q0", "q3", "q5", "q1"],
    ["q2", "q4"],
  ]);
});

test("at most four interactive texts of different lengths share a batch", () => {
  const queue = queueOf(queries([3, 4, 5, 6, 7, 8]));
  expect(takeAll(queue, upTo(32)).map(namesOf)).toEqual([
    ["q0", "q1", "q2", "q3"],
    ["q4", "q5"],
  ]);
});

test("more than four interactive texts share a batch only when all have the same length, whatever their requests", () => {
  const requests = fc.array(fc.array(fc.integer({ min: 3, max: 5 }), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(requests, (lists) => {
      const queue = queueOf(lists.map((tokens, i) => interactive(`q${i}`, ...tokens)));
      for (const batch of takeAll(queue, upTo(32))) {
        const lengths = batch.map(({ request, index }) => request.tokens[index]);
        if (lengths.length > 4) expect(new Set(lengths).size).toBe(1);
      }
    }),
  );
});

test("merging respects the worker's limits and its share of the queued texts, and loses no text", () => {
  const request = fc.record({
    tokens: fc.array(fc.integer({ min: 2, max: 12 }), { minLength: 1, maxLength: 4 }),
    mergeable: fc.boolean(),
    alone: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 40 }), batchSizes, (descriptions, size) => {
      const requests = descriptions.map(({ tokens, mergeable, alone }, i) =>
        requestOf(`q${i}`, tokens, { interactive: true, mergeable, alone: new Set(alone ? [0] : []) }),
      );
      const queue = queueOf(requests);
      const taken = new Set<string>();
      for (let queued = queue.size; queued > 0; queued = queue.size) {
        const batch = queue.next(size, interactiveOnly);
        const found = sum(batch.map(({ request, index }) => request.tokens[index] ?? 0));
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(size.texts);
        expect(batch.length).toBeLessThanOrEqual(Math.max(Math.ceil(queued / size.workers), 1));
        if (batch.length > 1) expect(found).toBeLessThanOrEqual(size.tokens);
        const members = new Set(batch.map(({ request }) => request));
        if (members.size > 1) for (const { mergeable, alone } of members) expect(mergeable && alone.size === 0).toBe(true);
        for (const { request, index } of batch) if (request.alone.has(index)) expect(batch).toHaveLength(1);
        for (const { request, index } of batch) taken.add(`${request.name} ${index}`);
        expect(queue.size).toBe(queued - batch.length);
      }
      expect(taken.size).toBe(sum(requests.map(({ tokens }) => tokens.length)));
    }),
  );
});

test("two workers share eight queued queries instead of merging them for one", () => {
  const queue = queueOf(queries(Array<number>(8).fill(6)));
  const size = { texts: 32, tokens: 512, workers: 2 };
  expect(namesOf(queue.next(size, interactiveOnly))).toEqual(["q0", "q1", "q2", "q3"]);
});

test("merging skips requests that do not fit and keeps their place in the queue", () => {
  const queue = queueOf(queries([6, 100, 6, 7]));
  expect(namesOf(queue.next({ texts: 32, tokens: 20, workers: 1 }))).toEqual(["q0", "q2", "q3"]);
  expect(namesOf(queue.next(upTo(32)))).toEqual(["q1"]);
});

test("merged texts returned to the queue are handed out next, in the order in which they were taken", () => {
  const [a, b, c] = [interactive("a", 6), interactive("b", 6, 6), interactive("c", 6)];
  const queue = queueOf([a, b, c]);
  const batch = queue.next(upTo(32));
  expect(namesOf(batch)).toEqual(["a", "b", "b", "c"]);
  queue.add(interactive("younger", 7));
  for (const { request, index } of batch.slice(1).toReversed()) queue.putBack(request, [index]);
  expect(takeAll(queue, oneText).flat()).toMatchObject([
    { request: b, index: 0 },
    { request: c, index: 0 },
    { request: { name: "younger" } },
    { request: b, index: 1 },
  ]);
});

test("interactive requests are never merged with bulk requests", () => {
  const queue = queueOf([bulk("bulk", 3), ...queries([6, 6])]);
  expect(takeAll(queue, upTo(32)).map(namesOf)).toEqual([
    ["q0", "q1"],
    ["bulk", "bulk", "bulk"],
  ]);
});

test("the tokens of a short text are estimated from its words and punctuation, those of a long text from its characters", () => {
  expect(["", "tide", "the tides", "Tide, tide!", "潮汐 tide", " \n "].map(estimateTokens)).toEqual([2, 3, 4, 6, 5, 2]);
  expect(["x".repeat(256), "x".repeat(400)].map(estimateTokens)).toEqual([3, 100]);
});
