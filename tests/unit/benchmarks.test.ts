import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
const { fingerprint } = JSON.parse(await read("models/bge-small-en-v1.5/manifest.json"));
const results = await readdir(new URL("../../bench/results/", import.meta.url));

test.each(results)("bench/results/%s was measured with the bundled model", async (name) => {
  const { environment } = JSON.parse(await read(`bench/results/${name}`));
  expect(environment.model.fingerprint).toBe(fingerprint);
});

test("docs/benchmarks.md shows every kept result, and none of another model", async () => {
  const shown = Array.from((await read("docs/benchmarks.md")).matchAll(/fingerprint ([0-9a-f]{12})/g), ([, found]) => found);
  expect(shown).toEqual(results.map(() => fingerprint.slice(0, 12)));
});
