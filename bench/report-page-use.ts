import { type Claim, judge } from "./claim.ts";
import { formatSpread } from "./claims.ts";
import { percentiles } from "./index-scans.ts";
import { environmentLine, table } from "./markdown.ts";
import type { PageUse, PageUseRound } from "./page-use-results.ts";
import { spreadOf } from "./statistics.ts";

/** What someone notices who works with the page. */
export function pageUseSections({ environment, browser, documents, rounds }: PageUse): string[] {
  const spread = (figure: (round: PageUseRound) => number, digits = 0) => formatSpread(spreadOf(rounds.map(figure)), digits);
  return [
    environmentLine(environment),
    `Chromium ${browser}, on WASM, rounds: ${rounds.length}. ${documents} abstracts are added as files.`,
    table(
      ["", "key to results, p50, ms", "p95, ms", "longest task of the page's thread, ms"],
      [
        ["the model is loaded", "", "", spread(({ longestTask }) => longestTask.loading)],
        [
          "typing",
          spread(({ idle }) => percentiles(idle.keyToResults).p50),
          spread(({ idle }) => percentiles(idle.keyToResults).p95),
          spread(({ longestTask }) => longestTask.idle),
        ],
        ["the files are chosen, most of which is the browser's own work", "", "", spread(({ longestTask }) => longestTask.adding)],
        [
          "typing while documents are read and embedded",
          spread(({ indexing }) => percentiles(indexing.keyToResults).p50),
          spread(({ indexing }) => percentiles(indexing.keyToResults).p95),
          spread(({ longestTask }) => longestTask.indexing),
        ],
      ],
    ),
    "A browser tells of no task below 50 ms: 0 stands for none.",
    table(
      [
        "first document found by words, s",
        "all of them, s",
        "first found by meaning, s",
        "passages embedded a second, while someone types",
      ],
      [
        [
          spread(({ firstByWords }) => firstByWords / 1000, 1),
          spread(({ allByWords }) => allByWords / 1000, 1),
          spread(({ firstByMeaning }) => firstByMeaning / 1000, 1),
          spread(({ passagesPerSecond }) => passagesPerSecond, 1),
        ],
      ],
    ),
  ];
}

export function pageUseClaims({ rounds }: PageUse): Claim[] {
  const ms = ({ median, min, max }: { median: number; min: number; max: number }) => `${formatSpread({ median, min, max }, 0)} ms`;
  const of = (figure: (round: PageUseRound) => number) => spreadOf(rounds.map(figure));
  return [
    judge(
      "In the page, from a key to its results it is at most 150 ms (p95)",
      of(({ idle }) => percentiles(idle.keyToResults).p95),
      (x) => x <= 150,
      ms,
    ),
    judge(
      "… and while documents are embedded",
      of(({ indexing }) => percentiles(indexing.keyToResults).p95),
      (x) => x <= 150,
      ms,
    ),
    judge(
      "… with no task over 50 ms on the page's thread while documents are read and embedded and someone types",
      of(({ longestTask }) => Math.max(longestTask.idle, longestTask.indexing)),
      (x) => x <= 50,
      (found) => (found.max === 0 ? "none" : ms(found)),
    ),
  ];
}
