/** `npm run bench`: see bench/README.md. */
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { measure, onProgress, type Plan } from "./benchmarks.ts";
import { nothingGotWorse } from "./check.ts";
import type { PeerModel } from "./contenders/contender.ts";
import { cranfieldAbstracts, cranfieldCollection, cranfieldQueries } from "./cranfield.ts";
import { deviceIds } from "./devices/device.ts";
import { figuresOf, writeFigures } from "./figures/all.ts";
import { type BenchmarkName, benchmarkNames, noResults, readResults, saveResult } from "./kept-results.ts";
import { installPeers } from "./peers/install.ts";
import { renderReport, withFigures } from "./report.ts";

// Every contender runs in a process that inherits this: none reports to the runtime's makers while it is measured.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

/** What is measured when nothing is named: minutes each, where others take a quarter of an hour. */
const usual: readonly BenchmarkName[] = ["encode", "service", "start", "edge", "engine", "browser", "page"];
const usualWithPeers: readonly BenchmarkName[] = [...usual, "growth", "fastapi"];

const settings = z.object({
  benchmarks: z.array(z.enum([...benchmarkNames, "all"])),
  /** A folder with the published model, as the hub lays it out: int8, and for `webgpu` float32. Default: the hub's. */
  "peer-model": z.string().optional(),
  /** Installs the Python peers, unless they are installed, and measures them, too. */
  peers: z.boolean().default(false),
  /** Which devices `vectors` and `quality` measure, comma-separated. Default: all. */
  devices: z.preprocess((list) => (typeof list === "string" ? list.split(",") : list), z.array(z.enum(deviceIds)).optional()),
  rounds: z.coerce.number().int().min(1).optional(),
  /** One round of a few texts; the report is printed, and nothing is kept. */
  quick: z.boolean().default(false),
  /** Measures the ratios, and says which got worse than those that are kept: exit code 1 if any did. */
  check: z.boolean().default(false),
  /** Measures nothing: makes the report anew from the figures that are kept. */
  report: z.boolean().default(false),
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "peer-model": { type: "string" },
    peers: { type: "boolean" },
    devices: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean" },
    report: { type: "boolean" },
    check: { type: "boolean" },
  },
});
const parsed = settings.safeParse({ ...values, benchmarks: positionals });
if (!parsed.success) {
  console.error(`bench: ${z.prettifyError(parsed.error)}`);
  process.exit(2);
}
if (parsed.data.check) process.exit((await nothingGotWorse(onProgress)) ? 0 : 1);
const { quick, "peer-model": directory, peers, devices, rounds = quick ? 1 : 3, benchmarks: chosen } = parsed.data;
const peer: PeerModel = directory ? { directory } : { hub: "Xenova/bge-small-en-v1.5" };
const plan: Plan = {
  command: [
    "npm run bench --",
    ...chosen,
    peers ? "--peers" : "",
    devices ? `--devices ${devices}` : "",
    directory ? "--peer-model DIR" : "",
    `--rounds ${rounds}`,
  ]
    .filter(Boolean)
    .join(" "),
  rounds,
  quick,
  peer,
  devices,
  python: peers ? await installPeers(peer, onProgress) : null,
  abstracts: (await cranfieldAbstracts()).slice(0, quick ? 32 : 200),
  queries: (await cranfieldQueries()).slice(0, quick ? 32 : undefined),
  collection: await cranfieldCollection(quick ? 200 : undefined),
  overloadSeconds: quick ? 6 : 60,
  soakRequests: quick ? 400 : 20_000,
};

const measured = { ...noResults };
const named = chosen.includes("all") ? benchmarkNames : chosen.filter((name) => name !== "all");
const toRun = named.length > 0 ? named : peers ? usualWithPeers : usual;
for (const name of parsed.data.report ? [] : toRun) {
  const result = await measure[name](plan);
  Object.assign(measured, { [name]: result });
  if (result && !quick) await saveResult(name, result);
}
if (quick) {
  console.log(renderReport(measured, []));
} else {
  // From the files, so that the report says what a reader can check, and keeps the benchmarks that did not run now.
  const kept = await readResults();
  const figures = figuresOf(kept);
  await writeFigures(figures);
  await writeFile(new URL("../../BENCHMARKS.md", import.meta.url), renderReport(kept, figures));
  const readme = new URL("../../README.md", import.meta.url);
  await writeFile(readme, withFigures(await readFile(readme, "utf8"), kept));
  console.log("The report is in BENCHMARKS.md, its claims in README.md, its figures in bench/results/.");
}
