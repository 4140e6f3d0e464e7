import fc from "fast-check";
import { expect, test } from "vitest";
import { TextQueue } from "../../shared/encoder/queue.ts";

const request = (name: string, count: number) => ({ name, texts: Array<string>(count).fill(name) });
const requests = fc
  .array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })
  .map((counts) => counts.map((count, i) => request(`r${i}`, count)));

test("hands out every text exactly once, in the order of its request", () => {
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 7 }), (all, limit) => {
      const queue = new TextQueue<(typeof all)[number]>(4);
      for (const one of all) queue.add(one);
      const handedOut = new Map<string, number[]>();
      for (let turn = queue.next(limit); turn; turn = queue.next(limit)) {
        expect(turn.indexes.length).toBeGreaterThan(0);
        expect(turn.indexes.length).toBeLessThanOrEqual(limit);
        handedOut.set(turn.request.name, [...(handedOut.get(turn.request.name) ?? []), ...turn.indexes]);
      }
      for (const { name, texts } of all) expect(handedOut.get(name)).toEqual([...texts.keys()]);
      expect(queue.size).toBe(0);
    }),
  );
});

test("no request waits for more than one turn of each other one", () => {
  fc.assert(
    fc.property(requests, (all) => {
      const queue = new TextQueue<(typeof all)[number]>(0);
      for (const one of all) queue.add(one);
      const turns: string[] = [];
      for (let turn = queue.next(1); turn; turn = queue.next(1)) turns.push(turn.request.name);
      for (const { name } of all) {
        const places = turns.flatMap((other, place) => (other === name ? [place] : []));
        for (const [i, place] of places.entries()) expect(place - (places[i - 1] ?? -1)).toBeLessThanOrEqual(all.length);
      }
    }),
  );
});

test("texts put back come first when their request has its turn, and are not lost when it had none left", () => {
  const queue = new TextQueue<ReturnType<typeof request>>(4);
  const bulk = request("bulk", 6);
  queue.add(bulk);
  expect(queue.next(2)?.indexes).toEqual([0, 1]);
  queue.putBack(bulk, [0, 1]);
  expect(queue.next(3)?.indexes).toEqual([0, 1, 2]);
  expect(queue.next(9)?.indexes).toEqual([3, 4, 5]);
  queue.putBack(bulk, [4]);
  expect(queue.next(9)).toEqual({ request: bulk, indexes: [4] });
});

test("forgets a removed request and gives back the rest when drained", () => {
  const queue = new TextQueue<ReturnType<typeof request>>(4);
  const [a, b, c] = [request("a", 2), request("b", 20), request("c", 1)];
  for (const one of [a, b, c]) queue.add(one);
  queue.remove(a);
  expect(queue.size).toBe(21);
  expect(queue.drain()).toEqual([c, b]);
  expect(queue.next(1)).toBeNull();
});
