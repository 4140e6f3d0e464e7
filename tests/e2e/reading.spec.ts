import { readFile as readBytes, readdir } from "node:fs/promises";
import { expect, test } from "playwright/test";
import { readFile } from "../../shared/reading/read-file.ts";

const fixtures = new URL("../fixtures/reading/", import.meta.url);

test("a worker reads every file as Node does, or refuses it alike, and fetches nothing from elsewhere", async ({ page }) => {
  await page.goto("/");
  const fetched: string[] = [];
  page.context().on("request", (request) => fetched.push(request.url()));
  const names = await readdir(fixtures);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const bytes = await readBytes(new URL(name, fixtures));
    const inNode = await readFile(name, new Uint8Array(bytes)).catch(({ code, message }) => ({ code, message }));
    const inPage = await page.evaluate(
      async ({ name, base64 }) => {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        return window
          .startReading()
          .readFile(name, new File([bytes], name))
          .catch(({ code, message }) => ({ code, message }));
      },
      { name, base64: bytes.toString("base64") },
    );
    expect(inPage, name).toEqual(inNode);
  }
  expect(fetched.some((url) => url.includes("reading-pdf"))).toBe(true);
  expect(fetched.filter((url) => new URL(url).origin !== new URL(page.url()).origin)).toEqual([]);
});
