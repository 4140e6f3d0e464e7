import { readFile, writeFile } from "node:fs/promises";
import type { Report } from "./benchmark.ts";
import { benchmarks } from "./benchmarks.ts";
import { environmentLine } from "./environment.ts";
import { readResult } from "./results.ts";
import { table } from "./statistics.ts";

const introduction =
  "`npm run bench` writes this page from `bench/results`: do not edit it. A figure is the median of all rounds, with the lowest and the highest in brackets. `bench/README.md` says how each is measured.";

/** Writes docs/benchmarks.md and the table in README.md from the stored results of the bundled model. */
export async function writeReport(): Promise<void> {
  const reports: Report[] = [];
  for (const benchmark of benchmarks) {
    const result = await readResult(benchmark.name);
    if (!result) continue;
    const report = benchmark.report(result);
    reports.push({ ...report, sections: [environmentLine(result.environment), ...report.sections] });
  }
  await writeFile(new URL("../../docs/benchmarks.md", import.meta.url), `# Benchmarks\n\n${introduction}\n\n${renderReport(reports)}\n`);
  const readme = new URL("../../README.md", import.meta.url);
  await writeFile(readme, withHeadlines(await readFile(readme, "utf8"), reports));
  console.log("The report is in docs/benchmarks.md, its headlines in README.md.");
}

/** Claims of all reports, then their sections. */
export function renderReport(reports: readonly Report[]): string {
  const claims = reports.flatMap(({ claims = [] }) => claims);
  const rows = claims.map(({ claim, value, holds }) => [claim, value, holds ? "yes" : "**no**"]);
  return [
    ...(rows.length > 0 ? ["## Claims", "A claim holds when its median does.", table(["claim", "measured", "holds"], rows)] : []),
    ...reports.flatMap(({ title, sections }) => [`## ${title}`, ...sections]),
  ].join("\n\n");
}

const figures = /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/;

function withHeadlines(readme: string, reports: readonly Report[]): string {
  if (!figures.test(readme)) throw new Error("README.md has no <!-- figures --> … <!-- /figures -->");
  const rows = reports.flatMap(({ headlines = [] }) => headlines);
  const shown = `${table(["", "measured"], rows)}\n\nMedians of all rounds, with their range. [All benchmarks](docs/benchmarks.md).`;
  return readme.replace(figures, (_, begin: string, end: string) => `${begin}${shown}\n${end}`);
}
