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

const services = [
  { id: "samevec", name: "Samevec", fill: colours.ours },
  { id: "fastapi", name: "FastAPI", fill: colours.faint },
] as const;

interface Wait {
  readonly row: string;
  readonly name: string;
  readonly fill: string;
  readonly ms: number;
}

/** What clients wait for our service and for the FastAPI service, with nothing else to do and under bulk load. */
export function drawLatency({ rounds }: FastapiResult): Figure {
  const waitsOf = (load: "idle" | "bulk", { row, of }: (typeof rows)[number]): Wait[] =>
    services
      .flatMap(({ id, name, fill }) => {
        const own = rounds.filter(({ service }) => service === id);
        return own.length > 0 ? [{ row, name, fill, ms: spreadOf(own.map((round) => of(round[load]))).median }] : [];
      })
      .sort((a, b) => a.ms - b.ms);
  const loads = { idle: rows.map((row) => waitsOf("idle", row)), bulk: rows.map((row) => waitsOf("bulk", row)) };
  const all = [...loads.idle, ...loads.bulk].flat().map(({ ms }) => ms);
  // Room for the figures beside the outermost dots.
  const domain = [Math.min(...all) / 4, Math.max(...all) * 4] as const;
  const panels = [
    panelOf("while nothing else is asked for", loads.idle, domain, true),
    panelOf("under bulk load", loads.bulk, domain, false),
  ];
  return drawFigure("latency", "How long a client waits, ours and a FastAPI service (medians of the rounds): less is better", panels, 220);
}

/** @param waits by row, the shorter one of each first */
function panelOf(title: string, waits: readonly (readonly Wait[])[], domain: readonly [number, number], named: boolean): Panel {
  const ticks = [1, 10, 100, 1000, 10_000].filter((ms) => ms >= domain[0] && ms <= domain[1]);
  const beside = (side: 0 | 1) => {
    const there = waits.flatMap((ofRow) => ofRow.slice(side, side + 1));
    const place = { x: "ms", y: "row", dx: side === 0 ? -9 : 9, textAnchor: side === 0 ? "end" : "start" } as const;
    return [
      text(there, { ...place, text: ({ ms }) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0)), fill: colours.ink }),
      text(there.slice(0, 1), { ...place, dy: -15, text: "name", fill: "fill", fontWeight: 600 }),
    ];
  };
  return {
    title,
    width: named ? 440 : 370,
    options: {
      marginLeft: named ? 90 : 20,
      marginRight: 20,
      marginTop: 14,
      marginBottom: 34,
      x: { type: "log", domain },
      y: { domain: rows.map(({ row }) => row) },
      color: { type: "identity" },
      marks: [
        gridX(ticks, { stroke: colours.faint, strokeOpacity: 0.15 }),
        axisX(ticks, { tickFormat: "~s", tickSize: 0, label: "ms (logarithmic)", labelAnchor: "center", labelArrow: "none" }),
        axisY({ tickSize: 0, label: null, ...(!named && { tickFormat: () => "" }) }),
        ...waits.map((ofRow) =>
          ruleY(ofRow.slice(0, 1), { y: "row", x1: "ms", x2: ofRow.at(-1)?.ms ?? 0, stroke: colours.others, strokeWidth: 2 }),
        ),
        dot(waits.flat(), { x: "ms", y: "row", r: 5, fill: "fill" }),
        ...beside(0),
        ...beside(1),
      ],
    },
  };
}
