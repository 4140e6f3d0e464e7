import fc from "fast-check";
import { Hono } from "hono";
import { expect, test, vi } from "vitest";
import { type ListAnswer, sendList, vectorJson } from "../../api/json-answer.ts";

/** The answer of an app that sends this list, and how often it was told that the answer is sent. */
async function send(answer: ListAnswer) {
  const onSent = vi.fn();
  const app = new Hono();
  app.get("/", (c) => sendList(c, answer, onSent));
  return { response: await app.request("/"), onSent };
}

/** A list whose items are counted as they are serialized. */
function countedList(count: number) {
  const serialized = { count: 0 };
  const item = (index: number) => {
    serialized.count += 1;
    return JSON.stringify(`item ${index}`);
  };
  return { answer: { count, item }, serialized };
}

const readerOf = (response: Response) => response.body?.getReader() ?? expect.fail("no body");
const turns = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

test("a list response of any length is the JSON of the whole list", async () => {
  const vectors = fc.array(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 3 }), { maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(vectors, async (lists) => {
      const rows = lists.map((list) => Float32Array.from(list));
      const { response, onSent } = await send({ count: rows.length, item: (index) => vectorJson(rows[index]) });
      expect(await response.text()).toBe(JSON.stringify(rows.map((row) => Array.from(row))));
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(onSent).toHaveBeenCalledTimes(1);
    }),
    { numRuns: 60 },
  );
});

test.each([0, 1, 31, 32, 33, 63, 64, 65, 1_024])("a list response of %i items contains its prefix and suffix once", async (count) => {
  const items = Array.from({ length: count }, (_, i) => ({ index: i, text: "é\u2028" }));
  const answer = { before: '{"data":[', after: '],"model":"fake"}', count, item: (index: number) => JSON.stringify(items[index]) };
  const { response, onSent } = await send(answer);
  expect(await response.text()).toBe(JSON.stringify({ data: items, model: "fake" }));
  expect(onSent).toHaveBeenCalledTimes(1);
});

test("a short list response is sent whole before it is read", async () => {
  const { answer, serialized } = countedList(32);
  const { onSent } = await send(answer);
  expect(serialized.count).toBe(32);
  expect(onSent).toHaveBeenCalledTimes(1);
});

test("a long list response is serialized only as its client reads", async () => {
  const { answer, serialized } = countedList(320);
  const { response, onSent } = await send(answer);
  await turns();
  expect(serialized.count).toBe(0);
  const reader = readerOf(response);
  for (const chunk of [1, 2, 3]) {
    await reader.read();
    await turns();
    expect(serialized.count).toBe(32 * chunk);
  }
  expect(onSent).not.toHaveBeenCalled();
  while (!(await reader.read()).done);
  expect(serialized.count).toBe(320);
  expect(onSent).toHaveBeenCalledTimes(1);
});

test.each([0, 1, 5])("a client that disconnects after %i chunks ends the list response once", async (chunks) => {
  const { answer, serialized } = countedList(320);
  const { response, onSent } = await send(answer);
  const reader = readerOf(response);
  for (let i = 0; i < chunks; i++) await reader.read();
  await reader.cancel();
  await turns();
  expect(serialized.count).toBe(32 * chunks);
  expect(onSent).toHaveBeenCalledTimes(1);
});

test("a client that disconnects while a chunk is serialized ends its response once and affects no other response", async () => {
  const { answer } = countedList(64);
  const { response, onSent } = await send(answer);
  const reader = readerOf(response);
  const reading = reader.read();
  await reader.cancel();
  await reading;
  await turns();
  expect(onSent).toHaveBeenCalledTimes(1);
  const other = await send(countedList(100).answer);
  expect(await other.response.json()).toHaveLength(100);
});

test("an item that cannot be serialized fails its response, which counts as sent, and affects no other response", async () => {
  const item = (index: number) => {
    if (index === 40) throw new Error("no vector");
    return "0";
  };
  const { response, onSent } = await send({ count: 100, item });
  await expect(response.text()).rejects.toThrow("no vector");
  expect(onSent).toHaveBeenCalledTimes(1);
  const other = await send(countedList(100).answer);
  expect(await other.response.json()).toHaveLength(100);
});

test("other tasks run between the chunks of a list response", async () => {
  const { answer, serialized } = countedList(3_200);
  const { response } = await send(answer);
  const seen = new Set<number>();
  const ticking = setInterval(() => seen.add(serialized.count), 0);
  await response.text();
  clearInterval(ticking);
  expect(seen.size).toBeGreaterThan(20);
});

test("chunks of concurrent list responses are serialized one at a time, in turns", async () => {
  const order: string[] = [];
  const listOf = (name: string) => ({
    count: 320,
    item: () => {
      if (order.at(-1) !== name) order.push(name);
      return "0";
    },
  });
  const answers = await Promise.all([send(listOf("a")), send(listOf("b"))]);
  await Promise.all(answers.map(({ response }) => response.text()));
  expect(order.length).toBeGreaterThan(10);
});

test("a vector is serialized as a list of numbers, and a missing vector as an empty list", () => {
  expect(vectorJson(Float32Array.of(0.5, -0, 1e-7))).toBe(JSON.stringify([0.5, -0, Math.fround(1e-7)]));
  expect(vectorJson(undefined)).toBe("[]");
});
