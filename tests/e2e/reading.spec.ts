import { readFile as readBytes, readdir } from "node:fs/promises";
import { expect, test } from "playwright/test";
import { readFile } from "../../shared/reading/read-file.ts";

const fixtures = new URL("../fixtures/reading/", import.meta.url);

test("the page reads or rejects every file as Node does, and fetches nothing from elsewhere", async ({ page }) => {
  await page.goto("/");
  await page.waitForFunction(() => window.search);
  const fetched: string[] = [];
  page.context().on("request", (request) => fetched.push(request.url()));
  const names = await readdir(fixtures);
  expect(names.length).toBeGreaterThan(10);
  const files: { name: string; base64: string }[] = [];
  const inNode: Record<string, string> = {};
  for (const name of names) {
    const bytes = await readBytes(new URL(name, fixtures));
    files.push({ name, base64: bytes.toString("base64") });
    inNode[name] = await readFile(name, new Uint8Array(bytes)).then(
      ({ title, kind, text }) => JSON.stringify({ title, kind, text }),
      ({ message }) => `${name} ${message}.`,
    );
  }
  const inPage = await page.evaluate(async (files) => {
    const id = (await window.search.state()).collections[0]?.id ?? "";
    const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    await window.search.addFiles(
      id,
      files.map(({ name, base64 }) => ({ path: name, file: new File([bytesOf(base64)], name) })),
    );
    const found: Record<string, string> = {};
    for (const document of await window.search.documents(id)) {
      const { title, kind, text } = await window.search.document(id, document.id);
      found[document.id] = JSON.stringify({ title, kind, text });
    }
    for (const { path, message } of (await window.search.state()).collections[0]?.problems ?? []) found[path] = message;
    return found;
  }, files);
  expect(inPage).toEqual(inNode);
  expect(fetched.some((url) => url.includes("reading-pdf"))).toBe(true);
  expect(fetched.filter((url) => new URL(url).origin !== new URL(page.url()).origin)).toEqual([]);
});
