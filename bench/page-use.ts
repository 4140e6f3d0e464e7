import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright";
import type { PageUse, PageUseRound } from "./page-use-results.ts";
import { Profile } from "./profile.ts";
import { Service } from "./start.ts";

/** Between two keys, in ms: some 80 words a minute. */
const typingPace = 150;
/** The longest that anything may take, in ms. */
const patience = 300_000;

/** What is typed: short, and to be found in abstracts of aerodynamics or not at all. */
const queries = [
  "drag of a wing",
  "heat transfer",
  "sonic boom",
  "shock wave",
  "jet noise",
  "flutter",
  "thin shells",
  "boundary layer",
  "hot gas flow",
  "helicopter rotor",
];

/** Works with the page as someone does who adds a few hundred notes: asks before, and while they are embedded. */
export async function measurePageUse(
  texts: readonly string[],
  rounds: number,
  onRound: (round: PageUseRound) => void,
): Promise<Omit<PageUse, "environment">> {
  const folder = await mkdtemp(join(tmpdir(), "samevec-notes-"));
  try {
    const files = texts.map((_, i) => join(folder, `${i}.txt`));
    for (const [i, text] of texts.entries()) await writeFile(join(folder, `${i}.txt`), text);
    const seen: PageUseRound[] = [];
    let browser = "";
    for (let round = 0; round < rounds; round++) {
      await using service = await Service.start();
      await using profile = await Profile.fresh("allow");
      const found = await profile.visit(async (context) => {
        browser = context.browser()?.version() ?? "";
        const page = await context.newPage();
        page.setDefaultTimeout(patience);
        return usePage(page, service.url, files);
      });
      seen.push(found);
      onRound(found);
    }
    return { browser, documents: texts.length, rounds: seen };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function usePage(page: Page, url: string, files: readonly string[]): Promise<PageUseRound> {
  await page.addInitScript(watch);
  await page.goto(url);
  await page.locator("#status[data-phase=ready]").waitFor();
  const loading = await takeLongestTask(page);
  const idle = { keyToResults: await typeQueries(page) };
  const whileIdle = await takeLongestTask(page);

  const began = await page.evaluate(() => performance.now());
  await page.locator("#files").setInputFiles([...files]);
  const adding = await takeLongestTask(page);
  const firstByWords = await reached(page, "#documents .summary", documentsShown, 1);
  const firstByMeaning = await reached(page, "#indexing .doing", embeddedShown, 1);
  const allByWords = await reached(page, "#documents .summary", documentsShown, files.length);
  const before = await shown(page, "#indexing .doing", embeddedShown);
  const keyToResults = await typeQueries(page);
  const after = await shown(page, "#indexing .doing", embeddedShown);
  const embedded = after.value - before.value;
  return {
    idle,
    indexing: { keyToResults, embedded },
    firstByWords: firstByWords - began,
    allByWords: allByWords - began,
    firstByMeaning: firstByMeaning - began,
    passagesPerSecond: (1000 * embedded) / (after.at - before.at),
    longestTask: { loading, idle: whileIdle, adding, indexing: await takeLongestTask(page) },
  };
}

/** What of the page's globals the functions below use that run there: this project knows no DOM. */
declare const window: {
  longestTask: number;
  lastKey: number;
  readonly PerformanceObserver: new (
    told: (list: { getEntries(): readonly { readonly duration: number }[] }) => void,
  ) => { observe(options: { type: string; buffered: boolean }): void };
  addEventListener(type: "input", listener: (event: { readonly timeStamp: number }) => void): void;
};
declare const document: { querySelector(selector: string): { readonly textContent: string | null } | null };

/** Runs in the page, before its own scripts. */
function watch(): void {
  window.longestTask = 0;
  window.lastKey = 0;
  new window.PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longestTask = Math.max(window.longestTask, duration);
  }).observe({ type: "longtask", buffered: true });
  window.addEventListener("input", ({ timeStamp }) => {
    window.lastKey = timeStamp;
  });
}

/** The longest task since the last time that this was asked, in ms; 0 for none of 50 ms or more. */
function takeLongestTask(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { longestTask } = window;
    window.longestTask = 0;
    return longestTask;
  });
}

/** Types each query key by key. Gives the time from the last key to the results that stay, in ms, by the page's own marks. */
async function typeQueries(page: Page): Promise<number[]> {
  const box = page.getByRole("searchbox", { name: "Search" });
  const times: number[] = [];
  for (const query of queries) {
    await box.fill("");
    await box.pressSequentially(query, { delay: typingPace });
    const painted = await page.waitForFunction(() => {
      const last = performance.getEntriesByName("key to results").findLast(({ startTime }) => startTime >= window.lastKey);
      return last && { ms: last.startTime + last.duration - window.lastKey };
    });
    times.push((await painted.jsonValue())?.ms ?? Number.NaN);
  }
  return times;
}

const documentsShown = "([\\d,]+) documents?";
const embeddedShown = "finds ([\\d,]+) of";

/** A number that the page shows, and when, in ms of the page's clock. 0 while it shows none. */
function shown(page: Page, selector: string, pattern: string): Promise<{ value: number; at: number }> {
  return page.evaluate(
    ([selector, pattern]) => {
      const [, number = "0"] = new RegExp(pattern).exec(document.querySelector(selector)?.textContent ?? "") ?? [];
      return { value: Number(number.replaceAll(",", "")), at: performance.now() };
    },
    [selector, pattern] as const,
  );
}

/** When the page showed at least this number, in ms of its clock. */
async function reached(page: Page, selector: string, pattern: string, least: number): Promise<number> {
  const deadline = performance.now() + patience;
  for (;;) {
    const { value, at } = await shown(page, selector, pattern);
    if (value >= least) return at;
    if (performance.now() > deadline) throw new Error(`The page did not come to ${least} within ${patience} ms`);
    await sleep(25);
  }
}
