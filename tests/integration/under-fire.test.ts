import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CommandLine } from "../contract/command-line.ts";
import type { ServerProcess } from "../contract/server-process.ts";
import { cranfieldAbstracts } from "./cranfield.ts";
import { Children } from "./fire/children.ts";
import { type Figures, Fire, rowOf, tableHead } from "./fire/fire.ts";

/** How long each scenario lasts, in s. */
const seconds = { tokenize: 12, search: 12, duplicates: 30, slowHeaders: 20, ideographs: 10 };

/**
 * The longest that `/health` may take (p99, in ms): by the clock, or by what the service's event loop computed without a pause, which no
 * other process can make longer. A busy thread on a shared machine is stopped for tenths of a second now and then.
 */
const healthBound = 50;

/** How much memory may be above that of the idle service, in MB. */
const memoryBound = { peak: 256, after: 64 };

/** `SHUTDOWN_TIMEOUT` by default, and what docs/operations.md adds to it, in ms. */
const documentedGrace = 35_000;

const patience = 180_000;

let abstracts: string[];
let folder: string;
let children: Children;
const rows: string[] = [];

const json = (value: unknown) => JSON.stringify(value);
const duplicates = json({ inputs: Array.from({ length: 1_024 }, () => "a") });
const phrase = (characters: string) => `"${characters}"`;

beforeAll(async () => {
  abstracts = (await cranfieldAbstracts()).slice(0, 400);
  children = await Children.create();
  folder = await mkdtemp(join(tmpdir(), "samevec-under-fire-"));
  const documents = join(folder, "documents");
  await mkdir(documents);
  for (const [number, text] of abstracts.entries()) await writeFile(join(documents, `${number}.txt`), text);
  // Each has the ideograph of the phrases that are searched for, but none of the phrases.
  for (let number = 0; number < 20; number++) {
    await writeFile(join(documents, `ideographs-${number}.txt`), `${"的".repeat(25)}。我的书，你的笔，他的${number}`);
  }
  const { code, stderr } = await CommandLine.run(["index", documents, "-o", join(folder, "documents.samevec")]);
  expect(code, stderr).toBe(0);
}, patience);

afterAll(async () => {
  if (rows.length > 0) console.log([tableHead, ...rows].join("\n"));
  await children?.remove();
  await rm(folder, { recursive: true });
});

let fire: Fire | null = null;
afterEach(async () => {
  await fire?.end();
  await children.end();
  fire = null;
});

const post = (server: ServerProcess, path: string, body: string) =>
  fetch(`${server.url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body });

/**
 * What each worker and the index allocate when they are first used belongs to the idle service. So does the young generation of V8's heap,
 * which grows with the first seconds of requests and which an idle process keeps.
 */
async function warmUp(server: ServerProcess): Promise<void> {
  for (const body of [json({ inputs: abstracts.slice(0, 64).map((text) => text.repeat(4)) }), json({ inputs: "short" })]) {
    expect((await post(server, "/embed", body)).status).toBe(200);
  }
  expect((await post(server, "/search", json({ query: "boundary layer" }))).status).toBe(200);
  expect((await post(server, "/tokenize", json({ inputs: "a few words" }))).status).toBe(200);
  for (let round = 0; round < 100; round++) {
    const queries = abstracts.slice(0, 4).map((text) => json({ query: `${round} ${text.slice(0, 1_000)}`, mode: "keyword", limit: 100 }));
    for (const { status } of await Promise.all(queries.map((body) => post(server, "/search", body)))) expect(status).toBe(200);
  }
}

const start = async () => {
  fire = await Fire.start(children, { INDEX_FILE: join(folder, "documents.samevec") }, warmUp);
  return fire;
};

/** Holds a scenario's end to the bounds, prints its figures, and sees that the service still serves. */
async function survived(scenario: string, fire: Fire, allowed: RegExp): Promise<void> {
  const figuresOf = await fire.watched();
  const after = fire.alive ? await fire.memoryAfter(figuresOf().memory.idle + memoryBound.after) : Number.NaN;
  const figures = figuresOf();
  report(rowOf(scenario, figures, after, fire.outcomes, fire.alive ? "-" : "died"));

  expect(fire.alive, fire.server.output.slice(-2_000)).toBe(true);
  expect.soft(unexpected(fire, allowed)).toEqual([]);
  expect.soft(figures.health.failures, "failures of /health").toBe(0);
  expect.soft(delayOf(figures), "p99 of /health in ms").toBeLessThan(healthBound);
  expect.soft(figures.memory.peak - figures.memory.idle, "MB above idle").toBeLessThanOrEqual(memoryBound.peak);
  expect.soft(after - figures.memory.idle, "MB above idle afterwards").toBeLessThanOrEqual(memoryBound.after);
  expect.soft(await (await fetch(`${fire.server.url}/health`)).json()).toMatchObject({ status: "ok" });
  expect.soft((await post(fire.server, "/embed", json({ inputs: "still here" }))).status).toBe(200);
}

function delayOf({ health, loop }: Figures): number {
  return Math.min(health.p99, loop.p99);
}

function report(row: string): void {
  rows.push(row);
  console.log(row);
}

/** What may become of a request: an answer of the service, whose failures all have a code. */
const answered = /^(200|4\d\d [a-z_]+|503 [a-z_]+)$/;
/** Who is slow may also be told so by the server itself, without a body, or be cut off. */
const answeredOrClosed = /^(200|4\d\d [a-z_]+|503 [a-z_]+|408 without code|reset|cut off)$/;

const unexpected = (fire: Fire, allowed: RegExp) => Object.keys(fire.outcomes).filter((outcome) => !allowed.test(outcome));

test("the service survives 8 MB bodies of punctuation marks beside clients with 1,024 duplicates", { timeout: patience }, async () => {
  const fire = await start();
  const tokens = json({ inputs: Array.from({ length: 41 }, () => "!".repeat(200_000)) });
  const allowed = json({ inputs: "!".repeat(8_190) });
  await fire.attack(
    { kind: "repeat", clients: 4, path: "/tokenize", bodies: [tokens, allowed], seconds: seconds.tokenize },
    { kind: "repeat", clients: 20, path: "/embed", bodies: [duplicates], seconds: seconds.tokenize },
  );
  await survived("41 × 200,000 `!` to /tokenize", fire, answered);
});

test("the service survives searches for 100 kB of words, 200 exclusions, two million document filters and the allowed maximum", {
  timeout: patience,
}, async () => {
  const fire = await start();
  const words = [...new Set(abstracts.join(" ").split(/[^a-z]+/))].filter((word) => word.length > 1);
  const wordsOf = (characters: number) => abstracts.join(" ").replace(/\s+/g, " ").slice(0, characters);
  const excluding = (count: number) =>
    `boundary ${words
      .slice(0, count)
      .map((word) => `-${word}`)
      .join(" ")}`;
  const documents = (count: number) => Array.from({ length: count }, () => "a");
  const tooMuch = [
    { query: wordsOf(100_000) },
    { query: excluding(200) },
    { query: "boundary layer", filter: { documents: documents(2_000_000) } },
    { query: wordsOf(100_000), filter: { kinds: documents(2_000_000) } },
  ];
  const allowed = [
    { query: wordsOf(2_000) },
    { query: excluding(16) },
    { query: "boundary layer", filter: { documents: documents(1_000) } },
    { query: words.join(" ").slice(0, 2_000), mode: "keyword", limit: 100 },
  ];
  await fire.attack(
    { kind: "repeat", clients: 4, path: "/search", bodies: tooMuch.map(json), seconds: seconds.search },
    { kind: "repeat", clients: 4, path: "/search", bodies: allowed.map(json), seconds: seconds.search },
  );
  await survived("100 kB of words, 2,000,000 filter entries to /search", fire, answered);
});

test("the service survives 50 clients with 1,024 duplicates and 200 that never read their response", { timeout: patience }, async () => {
  const fire = await start();
  const attack = { path: "/embed", seconds: seconds.duplicates };
  await fire.attack(
    { kind: "repeat", clients: 50, bodies: [duplicates], ...attack },
    { kind: "never-read", clients: 200, body: duplicates, ...attack },
  );
  await survived("50 × 1,024 duplicates, 200 that never read", fire, answeredOrClosed);
});

test("the service survives 1,000 slow headers, 100 concurrent bodies of 2 MB, and SIGTERM", { timeout: patience }, async () => {
  const fire = await start();
  const text = abstracts.join(" ").replace(/\s+/g, " ").slice(0, 190_000);
  const body = json({ inputs: Array.from({ length: 11 }, () => text) });
  expect(body.length).toBeGreaterThan(2_000_000);
  await fire.attack({ kind: "slow-header", sockets: 1_000, seconds: seconds.slowHeaders });
  const rest = fire.attack(
    { kind: "parallel", requests: 100, path: "/embed", body },
    { kind: "slow-body", sockets: 50, seconds: 60 },
    { kind: "slow-header", sockets: 50, seconds: 60 },
  );
  await wait(5_000);
  const figuresOf = await fire.watched();
  const terminated = performance.now();
  const code = await Promise.race([fire.server.stop("SIGTERM"), wait(documentedGrace + 15_000, "still running")]);
  const exit = performance.now() - terminated;
  if (code === "still running") await fire.server.stop("SIGKILL");
  await rest;
  const figures = figuresOf();
  report(rowOf("1,000 slow headers, 100 bodies of 2 MB, SIGTERM", figures, null, fire.outcomes, exit.toFixed(0)));

  expect.soft(unexpected(fire, answeredOrClosed)).toEqual([]);
  expect.soft(code, "exit code").toBe(0);
  expect.soft(exit, "ms until the exit").toBeLessThan(documentedGrace);
  expect.soft(figures.health.failures, "failures of /health").toBe(0);
  expect.soft(delayOf(figures), "p99 of /health in ms").toBeLessThan(healthBound);
  expect.soft(figures.memory.peak - figures.memory.idle, "MB above idle").toBeLessThanOrEqual(memoryBound.peak);
});

test("the service survives quoted phrases of 26 ideographs without spaces", { timeout: patience }, async () => {
  const fire = await start();
  const queries = ["的".repeat(26), `${"的".repeat(25)}不`, `${"的我".repeat(13)}`];
  const bodies = queries.flatMap((characters) => [json({ query: phrase(characters) }), json({ query: phrase(characters), mode: "words" })]);
  await fire.attack({ kind: "repeat", clients: 8, path: "/search", bodies, seconds: seconds.ideographs });
  await survived("26 quoted ideographs", fire, answered);
});
