import { formatSpread } from "./claims.ts";
import { table } from "./markdown.ts";
import type { FastapiResult, Growth, Measurement } from "./results.ts";
import { spreadOf } from "./statistics.ts";

/** Time and memory over the number of texts and over their length. */
export function growthTables({ contenders, textSets, measurements, skipped, rounds }: Growth): string[] {
  const tableOf = (along: "texts" | "length", figure: (measurement: Measurement, texts: number) => number, digits: number) => {
    const sets = textSets.filter((set) => set.along === along);
    const rows = contenders.map(({ id, label }) => {
      const skip = skipped.find(({ contender }) => contender === id);
      if (skip) return [label, `SKIPPED: ${skip.reason}`];
      const cells = sets.map(({ name, texts }) => {
        const own = measurements.filter(({ contender, texts: set }) => contender === id && set === name);
        return own.length > 0 ? formatSpread(spreadOf(own.map((measurement) => figure(measurement, texts))), digits) : "";
      });
      return [label, ...cells];
    });
    return table(["", ...sets.map(({ name }) => name)], rows);
  };
  return [
    `Rounds: ${rounds}. Seconds for so many abstracts:`,
    tableOf("texts", ({ seconds }) => seconds, 2),
    "Peak memory by then, MB:",
    tableOf("texts", ({ peakBytes }) => peakBytes / 1e6, 0),
    "ms for each of 16 texts of so many tokens:",
    tableOf("length", ({ seconds }, texts) => (seconds * 1e3) / texts, 1),
  ];
}

/** Our service beside a FastAPI service, in both loads. */
export function fastapiTable({ services, rounds }: FastapiResult): string[] {
  const doing = { idle: "nothing else", bulk: "bulk requests" } as const;
  const rows = services.flatMap(({ id, label }) => {
    const own = rounds.filter(({ service }) => service === id);
    const memory = formatSpread(spreadOf(own.map(({ peakBytes }) => peakBytes / 1e6)), 0);
    return (["idle", "bulk"] as const).map((load) => {
      const windows = own.map((round) => round[load]);
      const spread = (figure: (window: (typeof windows)[number]) => number, digits: number) =>
        formatSpread(spreadOf(windows.map(figure)), digits);
      const statuses = [...new Set(windows.flatMap(({ answers }) => Object.keys(answers)))].sort();
      return [
        label,
        doing[load],
        spread(({ query }) => query.requests, 0),
        spread(({ query }) => query.p50, 1),
        spread(({ query }) => query.p95, 1),
        spread(({ query }) => query.p99, 1),
        spread(({ health }) => health.p99, 1),
        spread(({ loopDelay }) => loopDelay.p99, 1),
        load === "bulk" ? spread(({ throughput }) => throughput, 1) : "",
        statuses.map((status) => `${status}: ${spread(({ answers }) => answers[status] ?? 0, 0)}`).join("; "),
        load === "bulk" ? memory : "",
      ];
    });
  });
  return [
    `Rounds: ${Math.max(0, ...rounds.map(({ round }) => round + 1))}. A query at a time, while a client asks for \`/health\`, and with nothing else or with four clients of bulk requests, eight abstracts each. One that had no answer at the end counts with what it had waited by then; of few queries, the higher percentiles are the longest.`,
    table(
      [
        "",
        "meanwhile",
        "queries",
        "p50, ms",
        "p95, ms",
        "p99, ms",
        "`/health` p99, ms",
        "event loop p99, ms",
        "bulk texts/s",
        "answers by status",
        "peak memory, MB",
      ],
      rows,
    ),
  ];
}
