import { expect, test } from "vitest";
import { abortable } from "../../shared/async.ts";
import { retained } from "../collected.ts";
import { FakeModel } from "./fake-model.ts";
import { createPool } from "./fake-pool.ts";

/** What `call` resolves with, ten times. */
async function references(call: (number: number) => Promise<object>): Promise<WeakRef<object>[]> {
  const all: WeakRef<object>[] = [];
  for (let number = 0; number < 10; number++) all.push(new WeakRef(await call(number)));
  return all;
}

test("a signal that lives on retains no result", async () => {
  const { signal } = new AbortController();
  expect(await retained(await references(async () => abortable(Promise.resolve({}), signal)))).toBe(0);
  signal.throwIfAborted();
});

test("many open calls of a worker are no leak to Node", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  const pool = createPool(new FakeModel(), { size: 1 });
  await Promise.all(Array.from({ length: 30 }, (_, number) => pool.tokenize(`text ${number}`)));
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off("warning", note);
  expect(warnings).toEqual([]);
});

test("a worker that lives on retains no vector", async () => {
  const pool = createPool(new FakeModel(), { size: 1 });
  const vectorOf = async (number: number) => (await pool.embed(`text ${number}`)).vectors[0] ?? {};
  expect(await retained(await references(vectorOf))).toBe(0);
  await pool.dispose();
});
