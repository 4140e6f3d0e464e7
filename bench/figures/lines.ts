import { dot, gridY, lineY, type PlotOptions, ruleY, type ScaleOptions, text } from "@observablehq/plot";
import type { Growth, Measurement, SoakResult } from "../results.ts";
import type { SearchBenchmark } from "../search-results.ts";
import { spreadOf } from "../statistics.ts";
import { apart, colours, drawFigure, type Figure, type Panel } from "./canvas.ts";
import { plain } from "./contenders.ts";

const height = 260;

interface Point {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

interface LinesOptions {
  readonly title: string;
  readonly points: readonly Point[];
  readonly x: ScaleOptions;
  readonly y: ScaleOptions;
  readonly colourOf: (name: string) => string;
  readonly labelWidth: number;
  /** Of what is between the axis and the labels. */
  readonly plotWidth?: number;
}

/** A line for each name, with the name at its end. */
function linesPanel({ title, points, x, y, colourOf, labelWidth, plotWidth = 226 }: LinesOptions): Panel {
  const names = [...new Set(points.map(({ name }) => name))];
  const ends = names.flatMap((name) => points.filter((point) => point.name === name).slice(-1));
  const most = Math.max(...points.map((point) => point.y));
  const logarithmic = y.type === "log";
  // A line of labels takes 13 px. On a logarithmic scale lines that are near each other are as good as equal: none is moved.
  const labels = logarithmic ? ends : apart(ends, (most * 13) / (height - 40));
  const ticks = logarithmic ? [0.1, 1, 10, 100, 1000] : 5;
  const colour = ({ name }: Point) => colourOf(name);
  const options: PlotOptions = {
    marginLeft: 44,
    marginRight: labelWidth,
    marginTop: 8,
    marginBottom: 34,
    x: { ...x, tickSize: 0, labelAnchor: "center", labelArrow: "none" },
    y: { ...y, ...(!logarithmic && { domain: [0, most], nice: true }), tickSize: 0, label: null, ticks },
    marks: [
      gridY({ ticks, stroke: colours.faint, strokeOpacity: 0.15 }),
      ...(logarithmic ? [] : [ruleY([0], { stroke: colours.faint })]),
      lineY(points, { x: "x", y: "y", z: "name", stroke: colour, strokeWidth: 1.8 }),
      dot(points, { x: "x", y: "y", fill: colour, r: 2.4 }),
      text(labels, { x: "x", y: "y", text: "name", textAnchor: "start", dx: 8, fill: colour }),
    ],
  };
  return { title, options, width: 44 + plotWidth + labelWidth };
}

/** How time grows with texts and with their length. */
export function drawGrowth(growth: Growth): Figure {
  const { textSets } = growth;
  const texts = textSets.filter(({ along }) => along === "texts").map((set) => set.texts);
  const lengths = textSets.filter(({ along }) => along === "length").map((set) => set.tokens / set.texts);
  const common = { y: {}, colourOf: (name: string) => (isOurs(name) ? colours.ours : colours.faint), labelWidth: 218, plotWidth: 190 };
  return drawFigure(
    "growth",
    "How the cost grows with texts and their length: less is better (medians)",
    [
      linesPanel({
        ...common,
        title: "s for so many abstracts",
        points: pointsAlong(growth, "texts", ({ seconds }) => seconds),
        x: { label: "abstracts", ticks: texts },
      }),
      linesPanel({
        ...common,
        title: "ms for a text of so many tokens",
        points: pointsAlong(growth, "length", ({ seconds }, count) => (seconds * 1e3) / count),
        x: { label: "tokens of each text", ticks: lengths.filter((tokens) => tokens === 16 || tokens >= 128) },
      }),
    ],
    height,
  );
}

/** Throughput by the number of workers. */
export function drawWorkers(growth: Growth): Figure {
  const most = Math.max(...growth.textSets.filter(({ along }) => along === "texts").map(({ texts }) => texts));
  const points = pointsAlong(growth, "texts", ({ seconds }, count) => count / seconds)
    .filter(({ name, x }) => isOurs(name) && x === most)
    .map(({ name, y }) => ({ name: "Samevec", x: Number(/\d+/.exec(name)?.[0]), y }))
    .sort((a, b) => a.x - b.x);
  const workers = points.map(({ x }) => x);
  return drawFigure(
    "workers",
    "What another worker gives: more is better (medians)",
    [
      linesPanel({
        title: `texts/s, ${most} abstracts`,
        points,
        x: { label: "workers", ticks: workers, domain: [0, Math.max(...workers)], tickFormat: "d" },
        y: {},
        colourOf: () => colours.ours,
        labelWidth: 70,
        plotWidth: 330,
      }),
    ],
    height,
  );
}

const isOurs = (name: string) => name.startsWith("Samevec");

function pointsAlong(
  { contenders, textSets, measurements }: Growth,
  along: "texts" | "length",
  figure: (measurement: Measurement, texts: number) => number,
): Point[] {
  const sets = textSets.filter((set) => set.along === along);
  return contenders.flatMap(({ id, label }) =>
    sets.flatMap(({ name, texts, tokens }) => {
      const own = measurements.filter((measurement) => measurement.contender === id && measurement.texts === name);
      if (own.length === 0) return [];
      const { median } = spreadOf(own.map((measurement) => figure(measurement, texts)));
      return [{ name: short(label), x: along === "texts" ? texts : tokens / texts, y: median }];
    }),
  );
}

/** A name that fits beside a line. */
const short = (label: string) => plain(label).replace(" pipeline", "").replace(" torch,", "").replace(" (default)", "");

/** Time of a search by the number of vectors. */
export function drawSearch({ scans }: SearchBenchmark): Figure {
  const points = scans.flatMap(({ vectors, used, full }) => [
    { name: "the index as it is used", x: vectors, y: used.p50 },
    { name: "a full scan", x: vectors, y: full.p50 },
  ]);
  return drawFigure(
    "search",
    "The nearest ten, p50 in ms: less is better",
    [
      linesPanel({
        title: "ms per query, both scales logarithmic",
        points,
        x: { label: "vectors", type: "log", ticks: scans.map(({ vectors }) => vectors), tickFormat: "~s" },
        y: { type: "log", tickFormat: "~r" },
        colourOf: (name) => (name === "a full scan" ? colours.faint : colours.ours),
        labelWidth: 140,
      }),
    ],
    height,
  );
}

/** The service's memory over its requests. */
export function drawSoak({ samples }: SoakResult): Figure {
  return drawFigure(
    "soak",
    "The service's memory in the long run",
    [
      linesPanel({
        title: "resident set, MB, after so many requests",
        points: samples.map(({ requests, rssBytes }) => ({ name: "Samevec", x: requests, y: rssBytes / 1e6 })),
        x: { label: "requests", domain: [0, samples.at(-1)?.requests ?? 0], tickFormat: "~s", ticks: 5 },
        y: {},
        colourOf: () => colours.ours,
        labelWidth: 70,
        plotWidth: 420,
      }),
    ],
    height,
  );
}
