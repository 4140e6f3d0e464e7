import { axisX, axisY, dot, gridX, ruleY, text } from "@observablehq/plot";
import type { FastapiResult, RivalWindow } from "../results.ts";
import { spreadOf } from "../statistics.ts";
import { colours, drawFigure, type Figure, type Panel } from "./canvas.ts";

const rows: readonly { readonly row: string; readonly of: (window: RivalWindow) => number }[] = [
  { row: "a query, p50", of: ({ query }) => query.p50 },
  { row: "a query, p95", of: ({ query }) => query.p95 },
  { row: "a query, p99", of: ({ query }) => query.p99 },
  { row: "/health, p99", of: ({ health }) => health.p99 },
];

/** What clients wait for our service and for the FastAPI service, with nothing else to do and under bulk load. */
export function drawLatency({ rounds }: FastapiResult): Figure {
  const panels = (["idle", "bulk"] as const).map((load, position): Panel => {
    const dots = rows.flatMap(({ row, of }) =>
      (["samevec", "fastapi"] as const).flatMap((service) => {
        const own = rounds.filter((round) => round.service === service);
        return own.length > 0 ? [{ row, service, ms: spreadOf(own.map((round) => of(round[load]))).median }] : [];
      }),
    );
    const spans = rows.map(({ row }) => {
      const values = dots.filter((dot) => dot.row === row).map(({ ms }) => ms);
      return { row, min: Math.min(...values), max: Math.max(...values) };
    });
    const first = rows[0]?.row;
    return {
      title: load === "idle" ? "while nothing else is asked for" : "under bulk load",
      width: position === 0 ? 420 : 340,
      options: {
        marginLeft: position === 0 ? 100 : 20,
        marginRight: 30,
        marginTop: 14,
        marginBottom: 34,
        x: { type: "log", domain: [1, 20_000], label: "ms (logarithmic)", labelAnchor: "center", labelArrow: "none" },
        y: { domain: rows.map(({ row }) => row), label: null },
        marks: [
          gridX([1, 10, 100, 1000, 10_000], { stroke: colours.faint, strokeOpacity: 0.15 }),
          axisX([1, 10, 100, 1000, 10_000], {
            tickFormat: "~s",
            tickSize: 0,
            label: "ms (logarithmic)",
            labelAnchor: "center",
            labelArrow: "none",
          }),
          ...(position === 0 ? [axisY({ tickSize: 0, label: null })] : [axisY({ tickSize: 0, label: null, tickFormat: () => "" })]),
          ruleY(spans, { y: "row", x1: "min", x2: "max", stroke: colours.others, strokeOpacity: 0.5, strokeWidth: 2 }),
          dot(dots, { x: "ms", y: "row", r: 5, fill: ({ service }) => (service === "samevec" ? colours.ours : colours.faint) }),
          text(dots, {
            x: "ms",
            y: "row",
            dy: 14,
            text: ({ ms }) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0)),
            fill: colours.ink,
            fontSize: 10,
          }),
          text(
            dots.filter(({ row }) => row === first),
            {
              x: "ms",
              y: "row",
              dy: -13,
              text: ({ service }) => (service === "samevec" ? "Samevec" : "FastAPI"),
              fill: ({ service }) => (service === "samevec" ? colours.ours : colours.faint),
              fontWeight: 600,
            },
          ),
        ],
      },
    };
  });
  return drawFigure("latency", "How long a client waits, ours and a FastAPI service (medians of the rounds): less is better", panels, 240);
}
