import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { estimateTokens } from "../../shared/encoder/token-estimate.ts";
import { type Lane, isInteractive, TextQueue } from "../../shared/encoder/queue.ts";

const oneByOne = { texts: 1, tokens: Number.POSITIVE_INFINITY, workers: 1 };
/** Turns of one worker, which takes as many texts as it may. */
const upTo = (texts: number) => ({ ...oneByOne, texts });

const request = (name: string, count: number, lane: Lane = "bulk") => ({ name, tokens: Array<number>(count).fill(6), lane });
const requests = fc
  .array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })
  .map((counts) => counts.map((count, i) => request(`r${i}`, count)));

afterEach(() => {
  vi.useRealTimers();
});

test("hands out every text exactly once, those of one length in the order of their request", () => {
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 7 }), (all, limit) => {
      const queue = new TextQueue<(typeof all)[number]>();
      for (const one of all) queue.add(one);
      const handedOut = new Map<string, number[]>();
      for (let turn = queue.next(upTo(limit)); turn; turn = queue.next(upTo(limit))) {
        expect(turn.indexes.length).toBeGreaterThan(0);
        expect(turn.indexes.length).toBeLessThanOrEqual(limit);
        handedOut.set(turn.request.name, [...(handedOut.get(turn.request.name) ?? []), ...turn.indexes]);
      }
      for (const { name, tokens } of all) expect(handedOut.get(name)).toEqual([...tokens.keys()]);
      expect(queue.size).toBe(0);
    }),
  );
});

test("no request waits for more than one turn of each other one", () => {
  fc.assert(
    fc.property(requests, (all) => {
      const queue = new TextQueue<(typeof all)[number]>();
      for (const one of all) queue.add(one);
      const turns: string[] = [];
      for (let turn = queue.next(oneByOne); turn; turn = queue.next(oneByOne)) turns.push(turn.request.name);
      for (const { name } of all) {
        const places = turns.flatMap((other, place) => (other === name ? [place] : []));
        for (const [i, place] of places.entries()) expect(place - (places[i - 1] ?? -1)).toBeLessThanOrEqual(all.length);
      }
    }),
  );
});

test("texts put back come first when their request has its turn, and are not lost when it had none left", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const bulk = request("bulk", 6);
  queue.add(bulk);
  expect(queue.next(upTo(2))?.indexes).toEqual([0, 1]);
  queue.putBack(bulk, [0, 1]);
  expect(queue.next(upTo(3))?.indexes).toEqual([0, 1, 2]);
  expect(queue.next(upTo(9))?.indexes).toEqual([3, 4, 5]);
  queue.putBack(bulk, [4]);
  expect(queue.next(upTo(9))).toEqual({ request: bulk, indexes: [4] });
});

test("forgets a removed request and gives back the rest when drained", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const [a, b, c] = [request("a", 2), request("b", 20), request("c", 1, "interactive")];
  for (const one of [a, b, c]) queue.add(one);
  queue.remove(a);
  expect(queue.size).toBe(21);
  queue.putBack(a, [0, 1]);
  expect(queue.size).toBe(21);
  expect(queue.drain()).toEqual([c, b]);
  queue.putBack(c, [0]);
  expect(queue.next(oneByOne)).toBeNull();
});

test("forgets no request whose texts are all handed out when it is drained: they may be put back", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const computed = request("computed", 2);
  queue.add(computed);
  queue.next(upTo(2));
  expect(queue.drain()).toEqual([]);
  queue.putBack(computed, [0, 1]);
  expect(queue.next(upTo(2))).toEqual({ request: computed, indexes: [0, 1] });
});

test("hands out interactive texts first, and those alone to who asks for them", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const [bulk, question] = [request("bulk", 2), request("question", 2, "interactive")];
  for (const one of [bulk, question]) queue.add(one);
  expect(queue.next(oneByOne)).toEqual({ request: question, indexes: [0] });
  expect(queue.nextInteractive(upTo(9))).toEqual({ request: question, indexes: [1] });
  expect(queue.nextInteractive(upTo(9))).toBeNull();
  expect(queue.next(upTo(9))).toEqual({ request: bulk, indexes: [0, 1] });
});

test("a request older than the patience goes before all that came after it, to its end", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const queue = new TextQueue<ReturnType<typeof request>>(100);
  const [old, bulk, question] = [request("old", 5), request("bulk", 5), request("question", 2, "interactive")];
  queue.add(old);
  vi.advanceTimersByTime(50);
  queue.add(bulk);
  queue.add(question);
  const turns = (count: number) => Array.from({ length: count }, () => queue.next(oneByOne)?.request.name);
  expect(turns(4)).toEqual(["question", "question", "old", "bulk"]);
  queue.add(request("another question", 1, "interactive"));
  vi.advanceTimersByTime(50);
  expect(turns(3)).toEqual(["old", "old", "old"]);
  queue.putBack(old, [4]);
  expect(queue.nextInteractive(oneByOne)?.request.name).toBe("another question");
  expect(turns(3)).toEqual(["old", "old", "bulk"]);
});

test("no request of any size starves under requests that never cease", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
      (size, others) => {
        const queue = new TextQueue<ReturnType<typeof request>>(20);
        const victim = request("victim", size);
        queue.add(victim);
        let left = size;
        for (let ms = 0; left > 0; ms++) {
          // A text a ms, and each ms brings more than that.
          for (const count of others) queue.add(request("other", count, count > 4 ? "bulk" : "interactive"));
          const turn = queue.next(oneByOne);
          if (turn?.request === victim) left -= 1;
          vi.advanceTimersByTime(1);
          expect(ms).toBeLessThanOrEqual(20 + size);
        }
      },
    ),
  );
});

test("a request of a few short texts is interactive", () => {
  expect(laneOf(["a question"])).toBe("interactive");
  expect(laneOf(Array(4).fill("x".repeat(250)))).toBe("interactive");
  expect(laneOf(Array(5).fill("x"))).toBe("bulk");
  expect(laneOf(["x".repeat(1_001)])).toBe("bulk");
});

test("a turn takes the longest texts that wait: within the worker's limits, and its share of half of what is left", () => {
  const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { minLength: 1, maxLength: 80 });
  const sizes = fc.record({
    texts: fc.integer({ min: 1, max: 32 }),
    tokens: fc.integer({ min: 1, max: 2048 }),
    workers: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(lengths, sizes, (tokens, size) => {
      const queue = new TextQueue<{ tokens: number[]; lane: "bulk" }>();
      queue.add({ tokens, lane: "bulk" });
      const handedOut: number[] = [];
      for (let turn = queue.next(size); turn; turn = queue.next(size)) {
        const left = tokens.length - handedOut.length;
        const share = size.workers === 1 ? left : Math.ceil(left / (2 * size.workers));
        const most = Math.min(size.texts, share);
        const sum = turn.indexes.reduce((sum, index) => sum + (tokens[index] ?? 0), 0);
        expect(turn.indexes.length).toBeGreaterThanOrEqual(1);
        expect(turn.indexes.length).toBeLessThanOrEqual(most);
        if (turn.indexes.length > 1) expect(sum).toBeLessThanOrEqual(size.tokens);
        handedOut.push(...turn.indexes);
        // No more of them would have been too many.
        const [next] = tokens.toSorted((a, b) => b - a).slice(handedOut.length);
        if (turn.indexes.length < most && next !== undefined) expect(sum + next).toBeGreaterThan(size.tokens);
      }
      expect(handedOut.toSorted((a, b) => a - b)).toEqual([...tokens.keys()]);
      expect(handedOut.map((index) => tokens[index])).toEqual(tokens.toSorted((a, b) => b - a));
    }),
  );
});

test("what waits is shared by the workers, and all a single one's", () => {
  const turnOf = (workers: number) => {
    const queue = new TextQueue<ReturnType<typeof request>>();
    queue.add(request("question", 20));
    return queue.next({ texts: 32, tokens: 512, workers })?.indexes;
  };
  expect(turnOf(2)).toHaveLength(5);
  expect(turnOf(1)).toHaveLength(20);
});

test("tokens are estimated from words and signs, and those of long texts from characters", () => {
  expect(estimatedTokens(["", "tide", "the tides", "Tide, tide!", "潮汐 tide", " \n "])).toEqual([2, 3, 4, 6, 5, 2]);
  expect(estimatedTokens(["x".repeat(256), "x".repeat(400)])).toEqual([3, 100]);
});
