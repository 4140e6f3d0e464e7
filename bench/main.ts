/** Entry of `npm run bench`: see bench/README.md. */
import { parseArgs } from "node:util";
import { log, type Plan } from "./benchmark.ts";
import { benchmarks, usual } from "./benchmarks.ts";
import { installPeers } from "./peers/install.ts";
import { nothingGotWorse } from "./ratios.ts";
import { renderReport, writeReport } from "./report.ts";
import { saveResult } from "./results.ts";

// Measured processes inherit this setting, which disables telemetry of the runtime.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

const { values, positionals: chosen } = parseArgs({
  allowPositionals: true,
  options: {
    "peer-model": { type: "string" },
    peers: { type: "boolean", default: false },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});
const { quick, peers, check, report, "peer-model": directory } = values;
const rounds = Number(values.rounds ?? (quick ? 1 : 3));
const names = benchmarks.map(({ name }) => name);
const unknown = chosen.filter((name) => ![...names, "all"].includes(name));
if (unknown.length > 0) throw new Error(`Unknown benchmark ${unknown.join(", ")}: name ${names.join(", ")} or all`);
if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error("--rounds takes a positive integer");

if (check) {
  process.exit((await nothingGotWorse()) ? 0 : 1);
} else if (report) {
  await writeReport();
} else {
  await run();
}

async function run(): Promise<void> {
  const peer = directory ? { directory } : { hub: "Xenova/bge-small-en-v1.5" };
  const flags = [peers ? "--peers" : "", directory ? "--peer-model DIR" : "", `--rounds ${rounds}`];
  const command = ["npm run bench --", ...chosen, ...flags].filter(Boolean).join(" ");
  const plan: Plan = { command, rounds, quick, peer, python: peers ? await installPeers(peer) : null };
  const wanted: readonly string[] = chosen.includes("all") ? names : chosen.length > 0 ? chosen : usual;
  for (const benchmark of benchmarks.filter(({ name }) => wanted.includes(name))) {
    log(benchmark.name);
    const result = await benchmark.measure(plan);
    if (quick) console.log(renderReport([benchmark.report(result)]));
    else await saveResult(benchmark.name, result);
  }
  if (!quick) await writeReport();
}
