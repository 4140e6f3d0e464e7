import { axisX, barX, ruleX, ruleY, text } from "@observablehq/plot";
import type { Comparison, Measurement } from "../results.ts";
import { spreadOf } from "../statistics.ts";
import { colours, drawFigure, type Figure, type Panel } from "./canvas.ts";

const rowHeight = 19;
const labelWidth = 330;
const panelWidth = 215;

/** What stands before a name in a table has no place in a drawing. */
export const plain = (label: string) => label.replaceAll(/[*`]/g, "");

/** How many texts a second each contender embeds. */
export const drawThroughput = (comparison: Comparison): Figure =>
  drawBars(comparison, {
    name: "throughput",
    title: "Texts per second: more is better (median, and the range of the rounds)",
    figure: ({ seconds }, texts) => texts / seconds,
  });

/** The largest resident set of each contender. */
export const drawMemory = (comparison: Comparison): Figure =>
  drawBars(comparison, {
    name: "memory",
    title: "Peak memory in MB: less is better (median, and the range of the rounds)",
    figure: ({ peakBytes }) => peakBytes / 1e6,
  });

interface Bars {
  readonly name: string;
  readonly title: string;
  readonly figure: (measurement: Measurement, texts: number) => number;
}

/** A panel for each set of texts, with the int8 contenders above those in float32. */
function drawBars({ contenders, textSets, measurements }: Comparison, { name, title, figure }: Bars): Figure {
  const groups = (["int8", "float32"] as const).flatMap((precision) => {
    const members = contenders.filter((contender) => (contender.precision ?? "int8") === precision);
    return members.length > 0 ? [{ header: `${precision} weights`, members }] : [];
  });
  const rows = groups.flatMap(({ header, members }) => [
    { row: header, says: header, header: true },
    ...members.map(({ id, label }) => ({ row: id, says: plain(label), header: false })),
  ]);
  const panels = textSets.map((set, position): Panel => {
    const bars = contenders.flatMap(({ id }) => {
      const own = measurements.filter(({ contender, texts }) => contender === id && texts === set.name);
      if (own.length === 0) return [];
      return [{ row: id, ...spreadOf(own.map((measurement) => figure(measurement, set.texts))), ours: id.startsWith("pool-") }];
    });
    const most = Math.max(...bars.map(({ max }) => max));
    const left = position === 0 ? labelWidth : 12;
    return {
      title: `${set.texts} ${set.name}`,
      width: panelWidth + left,
      options: {
        marginLeft: left,
        marginRight: 46,
        marginTop: 0,
        marginBottom: 22,
        x: { domain: [0, most], nice: true, label: null },
        y: { domain: rows.map(({ row }) => row), axis: null, padding: 0.25 },
        marks: [
          axisX({ ticks: 3, tickSize: 0, color: colours.faint }),
          barX(bars, { x: "median", y: "row", fill: ({ ours }) => (ours ? colours.ours : colours.others) }),
          ruleY(bars, { x1: "min", x2: "max", y: "row", stroke: colours.ink, strokeWidth: 1 }),
          text(bars, { x: "max", y: "row", text: ({ median }) => shown(median), textAnchor: "start", dx: 5, fill: colours.ink }),
          ruleX([0], { stroke: colours.faint }),
          ...(position > 0
            ? []
            : [true, false].map((header) =>
                text(
                  rows.filter((row) => row.header === header),
                  {
                    x: 0,
                    y: "row",
                    text: "says",
                    textAnchor: "end",
                    dx: -8,
                    fill: header ? colours.faint : colours.ink,
                    fontWeight: header ? 700 : 400,
                  },
                ),
              )),
        ],
      },
    };
  });
  return drawFigure(name, title, panels, rows.length * rowHeight + 22);
}

const shown = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
