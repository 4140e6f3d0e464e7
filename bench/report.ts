import type { Claim } from "./claim.ts";
import { claimsOf, formatSpread, speedRatio } from "./claims.ts";
import { peerClaims } from "./claims-peers.ts";
import { imageOf } from "./figures/all.ts";
import type { Figure } from "./figures/canvas.ts";
import type { Results } from "./kept-results.ts";
import { environmentLine, table } from "./markdown.ts";
import { browserSections, webgpuSections } from "./report-browser.ts";
import { engineSections } from "./report-engine.ts";
import { qualitySections, vectorsSections } from "./report-matrix.ts";
import { pageUseSections } from "./report-page-use.ts";
import { fastapiTable, growthTables } from "./report-peers.ts";
import { searchSections } from "./report-search.ts";
import { startSections } from "./report-start.ts";
import type {
  Comparison,
  DimensionsResult,
  EdgeResult,
  LoadResult,
  LoadRound,
  ServiceResult,
  ServiceWindow,
  SoakResult,
} from "./results.ts";
import { spreadOf } from "./statistics.ts";

/**
 * BENCHMARKS.md, from nothing but what was measured and kept.
 * @param drawn the figures of it that were drawn
 */
export function renderReport(results: Results, drawn: readonly Figure[]): string {
  const images = (...names: string[]) => drawn.filter(({ name }) => names.includes(name)).map(imageOf);
  const { encode, service, load, soak, edge, browser, webgpu, dimensions, search, growth, fastapi, vectors, quality, start, page, engine } =
    results;
  const sections = [
    "# Benchmarks",
    "Made by `npm run bench` from the figures in `bench/results`: change nothing here by hand. A figure is the median of its rounds, with the lowest and the highest in brackets. `bench/README.md` tells how each is measured.",
    "## Claims",
    claimsTable(allClaims(results)),
  ];
  if (encode) {
    sections.push(
      "## Against other libraries",
      environmentLine(encode.environment),
      ...images("throughput", "memory"),
      ...comparisonTables(encode),
    );
  }
  if (growth) {
    sections.push("## How the cost grows", environmentLine(growth.environment), ...images("growth", "workers"), ...growthTables(growth));
  }
  if (service) {
    sections.push("## The service while it works", environmentLine(service.environment), serviceTable(service));
  }
  if (load) {
    sections.push("## The service under load", environmentLine(load.environment), ...loadTables(load));
  }
  if (fastapi) {
    sections.push("## Beside a FastAPI service", environmentLine(fastapi.environment), ...images("latency"), ...fastapiTable(fastapi));
  }
  if (soak) {
    sections.push("## Its memory in the long run", environmentLine(soak.environment), ...images("soak"), soakTable(soak));
  }
  if (start) sections.push("## Until it is of use", ...startSections(start));
  if (edge) {
    sections.push("## At the edge", environmentLine(edge.environment), ...edgeSection(edge));
  }
  if (engine) sections.push("## The engine against ONNX Runtime", ...engineSections(engine));
  if (browser) sections.push("## In a browser", ...browserSections(browser));
  if (page) sections.push("## The page in use", ...pageUseSections(page));
  sections.push("## In a browser, on WebGPU", ...webgpuSections(webgpu));
  if (vectors) sections.push("## The same vector everywhere", ...vectorsSections(vectors));
  if (quality) sections.push("## What is found", ...qualitySections(quality));
  if (dimensions) {
    sections.push("## What fewer dimensions cost", environmentLine(dimensions.environment), dimensionsTable(dimensions));
  }
  if (search) {
    sections.push("## The search", ...images("search"), ...searchSections(search));
  }
  return `${sections.join("\n\n")}\n`;
}

const figures = /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/;

/** `readme` with the claims between its two markers. Throws when it has none. */
export function withFigures(readme: string, results: Results): string {
  if (!figures.test(readme)) throw new Error("there is no <!-- figures --> … <!-- /figures --> to fill");
  const { encode, service, load, soak, edge, browser, webgpu, vectors, quality, search, start, engine } = results;
  const environments = [encode, service, load, soak, edge, browser, webgpu, vectors, quality, search, start, engine].flatMap(
    (result) => result?.environment ?? [],
  );
  const [environment] = environments;
  const commands = [...new Set(environments.map(({ command }) => `\`${command}\``))];
  const section = [
    claimsTable(allClaims(results)),
    "`pipeline` is transformers.js' own, with the published int8 weights of the same model.",
    environment ? `By ${commands.join(", ")}: ${environment.cpu}, ${environment.cores} cores, node ${environment.versions.node}.` : "",
    "Median, lowest and highest of all rounds; more in [BENCHMARKS.md](BENCHMARKS.md), how they are measured in [bench](bench/README.md).",
  ];
  return readme.replace(figures, (_, begin: string, end: string) => `${begin}${section.filter(Boolean).join("\n\n")}\n${end}`);
}

/** Those against the Python peers come last: they are made only where these were asked for. */
const allClaims = (results: Results) => [...claimsOf(results), ...(results.encode ? peerClaims(results.encode) : [])];

function claimsTable(claims: readonly Claim[]): string {
  if (claims.length === 0) return "Nothing has been measured with this model yet.";
  const emphasized = (verdict: Claim["verdict"]) => (verdict === "holds" ? verdict : `**${verdict}**`);
  return table(
    ["claim", "measured", ""],
    claims.map(({ says, found, verdict }) => [says, found ?? "–", emphasized(verdict)]),
  );
}

function comparisonTables(comparison: Comparison): string[] {
  const head = [
    "",
    "texts/s",
    "ktokens/s",
    "speed of the first against it",
    "CPU ms per text",
    "peak memory, MB",
    "event loop p99, ms",
    "longest, ms",
    "worst cosine to the first",
  ];
  return comparison.textSets.flatMap((set) => {
    const elsewhere = comparison.measurements.filter(({ texts }) => texts === set.name).map(({ coresElsewhere }) => coresElsewhere);
    const caption = `**${set.texts} ${set.name}**, ${set.tokens.toLocaleString("en")} tokens, rounds: ${comparison.rounds}; meanwhile other processes kept ${formatSpread(spreadOf(elsewhere), 1)} cores busy`;
    const rowsOf = (precision: "int8" | "float32") =>
      comparison.contenders
        .filter((contender) => (contender.precision ?? "int8") === precision)
        .map(({ id, label }) => [label, ...comparisonCells(comparison, set, id)]);
    const float = rowsOf("float32");
    return [
      `${caption}\n\n${table(head, rowsOf("int8"))}`,
      ...(float.length > 0 ? [`The same texts by float32 weights; the first is still ours, in int8:\n\n${table(head, float)}`] : []),
    ];
  });
}

function comparisonCells({ contenders, measurements, skipped }: Comparison, set: Comparison["textSets"][number], id: string): string[] {
  const skip = skipped.find(({ contender }) => contender === id);
  if (skip) return [`SKIPPED: ${skip.reason}`];
  const own = measurements.filter(({ contender, texts }) => contender === id && texts === set.name);
  const spread = (figure: (measurement: (typeof own)[number]) => number, digits: number) => formatSpread(spreadOf(own.map(figure)), digits);
  const reference = contenders[0]?.id ?? id;
  const ratio = id === reference ? null : speedRatio(measurements, set.name, reference, id);
  return [
    spread(({ seconds }) => set.texts / seconds, 1),
    spread(({ seconds }) => set.tokens / seconds / 1e3, 2),
    ratio ? `${formatSpread(ratio, 2)} ×` : "",
    spread(({ cpuSeconds }) => (cpuSeconds * 1e3) / set.texts, 1),
    spread(({ peakBytes }) => peakBytes / 1e6, 0),
    ...(["p99", "max"] as const).map((part) => {
      const delays = own.flatMap(({ loopDelay }) => loopDelay?.[part] ?? []);
      return delays.length > 0 ? formatSpread(spreadOf(delays), part === "p99" ? 1 : 0) : "";
    }),
    id === reference ? "" : Math.min(...own.map(({ worstCosine }) => worstCosine)).toFixed(4),
  ];
}

function serviceTable({ rounds, workers, texts, tokens }: ServiceResult): string {
  const doing = {
    loading: "loading the model",
    idle: "idle",
    embedding: `embedding ${texts} abstracts (${tokens.toLocaleString("en")} tokens) of one \`POST /embed\``,
  } as const;
  const row = (name: keyof typeof doing) => {
    const spread = (figure: (window: ServiceWindow) => number, digits = 1) =>
      formatSpread(spreadOf(rounds.map((round) => figure(round[name]))), digits);
    return [
      doing[name],
      spread(({ seconds }) => seconds),
      spread(({ health }) => health.requests, 0),
      spread(({ health }) => health.p50),
      spread(({ health }) => health.p99),
      spread(({ health }) => health.max),
      spread(({ loopDelay }) => loopDelay.p99),
      spread(({ loopDelay }) => loopDelay.max),
    ];
  };
  const peak = formatSpread(spreadOf(rounds.map(({ peakBytes }) => peakBytes / 1e6)), 0);
  const head = ["the service is", "s", "requests for `/health`", "p50, ms", "p99, ms", "longest, ms", "event loop p99, ms", "longest, ms"];
  return `${workers} workers, rounds: ${rounds.length}, peak memory ${peak} MB.\n\n${table(head, [row("loading"), row("idle"), row("embedding")])}`;
}

function dimensionsTable({ documents, queries, rows }: DimensionsResult): string {
  const all = rows[0]?.ndcg ?? Number.NaN;
  const body = rows.map(({ dimensions, ndcg }) => [String(dimensions), ndcg.toFixed(3), `${((ndcg / all - 1) * 100).toFixed(1)} %`]);
  const caption = `Cranfield, ${documents.toLocaleString("en")} documents, ${queries} queries; every query's cosine with every document.`;
  return `${caption}\n\n${table(["dimensions", "nDCG@10", "against all"], body)}`;
}

function loadTables({ workers, rounds }: LoadResult): string[] {
  const spread = (figure: (round: LoadRound) => number, digits = 0) => formatSpread(spreadOf(rounds.map(figure)), digits);
  const query = (doing: string, part: "idle" | "busy") => [
    doing,
    spread((round) => round[part].requests),
    spread((round) => round[part].p50, 1),
    spread((round) => round[part].p95, 1),
    spread((round) => round[part].max, 1),
  ];
  const statuses = [...new Set(rounds.flatMap(({ overload }) => Object.keys(overload.answers)))].sort();
  const retryAfter = rounds.flatMap(({ overload }) => overload.retryAfter);
  const head = [
    "texts/s sent",
    "embedded",
    ...statuses,
    "without an answer",
    "`Retry-After`, s",
    "p50 of a 200, s",
    "p95, s",
    "longest, s",
  ];
  const cells = [
    spread(({ overload }) => overload.offered),
    spread(({ overload }) => overload.served),
    ...statuses.map((status) => spread(({ overload }) => overload.answers[status] ?? 0)),
    spread(({ overload }) => overload.lost),
    retryAfter.length > 0 ? formatSpread(spreadOf(retryAfter), 0) : "–",
    spread(({ overload }) => overload.latency.p50 / 1e3, 1),
    spread(({ overload }) => overload.latency.p95 / 1e3, 1),
    spread(({ overload }) => overload.latency.max / 1e3, 1),
  ];
  return [
    `${workers} workers and the one that is kept for interactive requests, rounds: ${rounds.length}. A query at a time:`,
    table(
      ["meanwhile", "queries", "p50, ms", "p95, ms", "longest, ms"],
      [
        query("nothing", "idle"),
        query(`bulk requests of up to 16 abstracts, ${spread(({ capacity }) => capacity)} texts/s: the capacity`, "busy"),
      ],
    ),
    `Twice the capacity for ${rounds[0]?.overload.seconds} s, whatever becomes of the requests:`,
    table(head, [cells]),
  ];
}

function soakTable({ workers, seconds, tokens, failed, samples }: SoakResult): string {
  const requests = samples.at(-1)?.requests ?? 0;
  const caption = [
    `${workers} workers; ${requests.toLocaleString("en")} requests of a text each, none twice (${tokens.toLocaleString("en")} tokens), in ${seconds.toFixed(0)} s;`,
    `${failed} were not answered with 200. The cache of vectors has its default size and fills meanwhile.`,
  ].join(" ");
  const shown = samples.filter((_, place) => (place + 1) % (samples.length / 10) === 0);
  const rows = [["resident set, MB", ...shown.map(({ rssBytes }) => (rssBytes / 1e6).toFixed(0))]];
  return `${caption}\n\n${table(["after requests", ...shown.map((sample) => sample.requests.toLocaleString("en"))], rows)}`;
}

/**
 * Prices in US dollars, read on 2026-11-21 in copies of Cloudflare's own documentation (Workers: Pricing; Workers AI:
 * Pricing), which may be older than the day.
 */
const prices = {
  /** Workers, Standard: a million ms of CPU time beyond the 30 million that a month of the paid plan includes. */
  millionCpuMs: 0.02,
  /** … and a million requests beyond 10 million. */
  millionRequests: 0.3,
  /** Workers AI, a million input tokens of @cf/baai/bge-small-en-v1.5. */
  workersAI: 0.02,
};

function edgeSection({ rounds }: EdgeResult): string[] {
  const first = rounds.map((round) => round.first);
  const spreadOfKnown = (values: readonly (number | null)[], digits: number) => {
    const known = values.filter((value) => value !== null);
    return known.length > 0 ? formatSpread(spreadOf(known), digits) : "not known";
  };
  const rows = (rounds[0]?.texts ?? []).map(({ tokens }, position) => {
    const measured = rounds.flatMap(({ texts }) => texts.slice(position, position + 1));
    const cost = (cpuMs: number | null, perRequest: number) =>
      cpuMs === null ? null : (cpuMs * prices.millionCpuMs + perRequest * prices.millionRequests) / tokens;
    return [
      String(tokens),
      formatSpread(spreadOf(measured.map(({ ms }) => ms)), 0),
      spreadOfKnown(
        measured.map(({ cpuMs }) => cpuMs),
        0,
      ),
      spreadOfKnown(
        measured.map(({ cpuMs }) => cost(cpuMs, 0)),
        3,
      ),
      spreadOfKnown(
        measured.map(({ cpuMs }) => cost(cpuMs, 1)),
        3,
      ),
    ];
  });
  const cpu = spreadOfKnown(
    first.map(({ cpuMs }) => cpuMs),
    0,
  );
  return [
    `Rounds: ${rounds.length}, each a workerd of its own. The first answer of a fresh isolate, 16 tokens, came after ${formatSpread(spreadOf(first.map(({ ms }) => ms)), 0)} ms, of which ${cpu} ms CPU time.`,
    table(["tokens", "ms", "CPU ms", "$ per million tokens, CPU time", "… and a request for each text"], rows),
    `Prices, as Cloudflare's documentation had them on 2026-11-21: $${prices.millionCpuMs} for a million ms of CPU time and $${prices.millionRequests} for a million requests, beyond what the paid plan includes. Workers AI asks $${prices.workersAI} for a million input tokens of the same model. The CPU time is this machine's, not Cloudflare's.`,
  ];
}
