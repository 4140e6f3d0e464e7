import { formatSpread } from "./claims.ts";
import { environmentLine, table } from "./markdown.ts";
import type { NodeStart, PageStart, StartResult } from "./start-results.ts";
import { spreadOf } from "./statistics.ts";

/** How long everything takes to be of use. */
export function startSections({ environment, browser, rounds }: StartResult): string[] {
  const spread = (milliseconds: readonly number[]) => formatSpread(spreadOf(milliseconds), 0);
  const nodeRow = (name: string, starts: readonly (NodeStart | null)[]) => {
    const known = starts.filter((start) => start !== null);
    if (known.length === 0) return [name, "not measured on this platform"];
    return [name, spread(known.map(({ health }) => health)), spread(known.map(({ vector }) => vector))];
  };
  const pageRow = (name: string, visits: readonly PageStart[]) => [
    name,
    ...(["paint", "words", "ready", "meaning"] as const).map((moment) => spread(visits.map((visit) => visit[moment]))),
    formatSpread(spreadOf(visits.map(({ bytes }) => bytes / 1e6)), 1),
  ];
  const edge = (["health", "first", "second"] as const).map((moment) => spread(rounds.map((round) => round.edge[moment])));
  return [
    environmentLine(environment),
    `**Node**, rounds: ${rounds.length}, from the start of the process`,
    table(
      ["", "first answer to `/health`, ms", "first vector, ms"],
      [
        nodeRow(
          "its files not in the system's memory",
          rounds.map(({ node }) => node.cold),
        ),
        nodeRow(
          "started again",
          rounds.map(({ node }) => node.warm),
        ),
      ],
    ),
    `**The page** in Chromium ${browser}, from the navigation, served by this machine, with a query that is asked as soon as there is somewhere to type`,
    table(
      ["", "first paint, ms", "first results, ms", "model ready, ms", "first results by a computed vector, ms", "downloaded, MB"],
      [
        pageRow(
          "first visit",
          rounds.map(({ page }) => page.cold),
        ),
        pageRow(
          "second visit, browser started anew",
          rounds.map(({ page }) => page.warm),
        ),
      ],
    ),
    "**A fresh edge isolate** in workerd",
    table(["first answer to `/health`, ms", "then the first vector, ms", "then another, ms"], [edge]),
  ];
}
