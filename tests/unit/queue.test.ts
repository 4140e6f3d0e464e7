import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { estimatedTokens, type Lane, laneOf, TextQueue } from "../../shared/encoder/queue.ts";

/** So many workers that a turn is one text wherever it may be more. */
const many = 1_000;
const oneByOne = { texts: 1, workers: many };

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
      for (let turn = queue.next({ texts: limit, workers: many }); turn; turn = queue.next({ texts: limit, workers: many })) {
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
  expect(queue.next({ texts: 2, workers: many })?.indexes).toEqual([0, 1]);
  queue.putBack(bulk, [0, 1]);
  expect(queue.next({ texts: 3, workers: many })?.indexes).toEqual([0, 1, 2]);
  expect(queue.next({ texts: 9, workers: many })?.indexes).toEqual([3, 4, 5]);
  queue.putBack(bulk, [4]);
  expect(queue.next({ texts: 9, workers: many })).toEqual({ request: bulk, indexes: [4] });
});

test("forgets a removed request and gives back the rest when drained", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const [a, b, c] = [request("a", 2), request("b", 20), request("c", 1, "interactive")];
  for (const one of [a, b, c]) queue.add(one);
  queue.remove(a);
  expect(queue.size).toBe(21);
  expect(queue.drain()).toEqual([c, b]);
  expect(queue.next(oneByOne)).toBeNull();
});

test("hands out interactive texts first, and those alone to who asks for them", () => {
  const queue = new TextQueue<ReturnType<typeof request>>();
  const [bulk, question] = [request("bulk", 2), request("question", 2, "interactive")];
  for (const one of [bulk, question]) queue.add(one);
  expect(queue.next(oneByOne)).toEqual({ request: question, indexes: [0] });
  expect(queue.nextInteractive({ texts: 9, workers: many })).toEqual({ request: question, indexes: [1] });
  expect(queue.nextInteractive({ texts: 9, workers: many })).toBeNull();
  expect(queue.next({ texts: 9, workers: many })).toEqual({ request: bulk, indexes: [0, 1] });
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

test("short texts are handed over together, longest first, a worker's share of half of what is left at most, and long ones alone", () => {
  const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 8 }), (tokens, workers) => {
      const queue = new TextQueue<{ tokens: number[]; lane: "bulk" }>();
      queue.add({ tokens, lane: "bulk" });
      const handedOut: number[] = [];
      for (let turn = queue.next({ texts: 1, workers }); turn; turn = queue.next({ texts: 1, workers })) {
        const left = tokens.length - handedOut.length;
        const lengthsOfTurn = turn.indexes.map((index) => tokens[index] ?? 0);
        expect(lengthsOfTurn.length).toBeLessThanOrEqual(Math.min(32, Math.ceil(left / (2 * workers))));
        if (lengthsOfTurn.length > 1) {
          expect(Math.max(...lengthsOfTurn)).toBeLessThanOrEqual(128);
          expect(lengthsOfTurn.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(512);
        }
        handedOut.push(...turn.indexes);
      }
      expect(handedOut.toSorted((a, b) => a - b)).toEqual([...tokens.keys()]);
      expect(handedOut.map((index) => tokens[index])).toEqual(tokens.toSorted((a, b) => b - a));
    }),
  );
  const queue = new TextQueue<ReturnType<typeof request>>();
  queue.add(request("question", 20));
  expect(queue.next({ texts: 1, workers: 2 })?.indexes).toHaveLength(5);
});

test("tokens are estimated from characters", () => {
  expect(estimatedTokens(["", "tide", "tides"])).toEqual([0, 1, 2]);
});
