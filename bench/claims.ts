import { type Claim, judge } from "./claim.ts";
import { qualityClaims, searchClaims, vectorsClaims } from "./claims-matrix.ts";
import type { Results } from "./kept-results.ts";
import { engineClaims } from "./report-engine.ts";
import { pageUseClaims } from "./report-page-use.ts";
import type { Measurement, SoakResult } from "./results.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** Texts per second of one contender over those of another, in each round that has both. Null where there is none. */
export function speedRatio(
  measurements: readonly Pick<Measurement, "contender" | "texts" | "round" | "seconds">[],
  texts: string,
  of: string,
  over: string,
): Spread | null {
  const inRound = (contender: string, round: number) =>
    measurements.find((measurement) => measurement.contender === contender && measurement.texts === texts && measurement.round === round);
  const ratios = measurements
    .filter((measurement) => measurement.contender === of && measurement.texts === texts)
    .flatMap(({ round, seconds }) => {
      const other = inRound(over, round);
      return other ? [other.seconds / seconds] : [];
    });
  return ratios.length > 0 ? spreadOf(ratios) : null;
}

/** The claims that these results can speak to, judged by the median of the rounds and by every one of them. */
export function claimsOf(results: Omit<Results, "dimensions" | "growth" | "fastapi">): Claim[] {
  const { encode, service, load, soak, edge, browser, webgpu, search, vectors, quality, page, engine } = results;
  const claims: Claim[] = [];
  const times = (ratio: Spread) => `${formatSpread(ratio, 2)} ×`;
  if (encode) {
    const fasterThan = (over: string, texts: string) => speedRatio(encode.measurements, texts, "pool-2", over);
    const peaks = encode.measurements
      .filter(({ contender, texts }) => contender === "pool-2" && texts === "abstracts")
      .map(({ peakBytes }) => peakBytes / 1e6);
    claims.push(
      judge(
        "Two workers embed abstracts at least 4 times as fast as `pipeline` in batches of 32",
        fasterThan("pipeline-32", "abstracts"),
        (x) => x >= 4,
        times,
      ),
      judge("… and ahead of `pipeline` called text by text", fasterThan("pipeline-1", "abstracts"), (x) => x > 1, times),
      judge(
        "Two workers embed queries at least 1.3 times as fast as `pipeline` called text by text",
        fasterThan("pipeline-1", "queries"),
        (x) => x >= 1.3,
        times,
      ),
      judge(
        "Two workers take at most 450 MB at their peak, on abstracts",
        spreadOf(peaks),
        (x) => x <= 450,
        (peak) => `${formatSpread(peak, 0)} MB`,
      ),
    );
  }
  if (service) {
    const windows = service.rounds.map(({ embedding }) => embedding);
    const doing = `while ${service.texts} abstracts are embedded`;
    const below20 = (says: string, delays: readonly number[]) =>
      judge(
        `${says} less than 20 ms at the 99th percentile ${doing}`,
        spreadOf(delays),
        (x) => x < 20,
        (delay) => `${formatSpread(delay, 1)} ms`,
      );
    claims.push(
      below20(
        "The service's event loop is late by",
        windows.map(({ loopDelay }) => loopDelay.p99),
      ),
      below20(
        "`GET /health` answers in",
        windows.map(({ health }) => health.p99),
      ),
    );
  }
  if (load) {
    const { rounds } = load;
    const unanswered = rounds.map(({ overload: { lost, answers } }) => {
      const { 200: _served, 429: _refused, ...others } = answers;
      return lost + Object.values(others).reduce((sum, count) => sum + count, 0);
    });
    claims.push(
      judge(
        "At twice its capacity the service answers every request, with 200 or 429",
        spreadOf(unanswered),
        (x) => x === 0,
        (others) => `${formatSpread(others, 0)} others`,
      ),
      judge(
        "While bulk requests keep all workers busy, a single query's p95 is less than 3 times its idle one",
        spreadOf(rounds.map(({ idle, busy }) => busy.p95 / idle.p95)),
        (x) => x < 3,
        times,
      ),
    );
  }
  if (soak) {
    claims.push(
      judge(
        `After ${soak.samples.at(-1)?.requests.toLocaleString("en")} requests of all lengths the service has at most 1.1 times the memory that it had after a tenth of them`,
        spreadOf([memoryGrowth(soak)]),
        (x) => x <= 1.1,
        ({ median }) => `${median.toFixed(2)} ×`,
      ),
    );
  }
  if (edge) {
    const within = (says: string, limit: number, milliseconds: readonly number[]) =>
      judge(
        says,
        spreadOf(milliseconds),
        (x) => x <= limit,
        (ms) => `${formatSpread(ms, 0)} ms`,
      );
    const short = edge.rounds.flatMap(({ texts }) => texts.filter(({ tokens }) => tokens === 16));
    claims.push(
      within(
        "A fresh edge isolate gives its first answer within 0.6 s",
        600,
        edge.rounds.map(({ first }) => first.ms),
      ),
      within(
        "… and then a text of 16 tokens within 30 ms",
        30,
        short.map(({ ms }) => ms),
      ),
    );
  }
  if (browser) {
    const atLeast = (says: string, over: string, limit: number) =>
      judge(says, speedRatio(browser.measurements, "abstracts", "pool-2", over), (x) => x >= limit, times);
    claims.push(
      atLeast("In Chromium, two workers on WASM embed abstracts at least 1.7 times as fast as one", "pool-1", 1.7),
      atLeast("… at least 3 times as fast as `pipeline` called text by text", "pipeline-1", 3),
      atLeast("… and at least 6 times as fast as `pipeline` in batches of 32", "pipeline-32", 6),
    );
  }
  if (browser && browser.visits.length > 0) {
    const downloads = browser.visits.filter(({ contender }) => contender === "pool-2").map(({ cold }) => cold.bytes / 1e6);
    claims.push(
      judge(
        "A first visit downloads at most 36 MB",
        spreadOf(downloads),
        (x) => x <= 36,
        (bytes) => `${formatSpread(bytes, 1)} MB`,
      ),
    );
  }
  if (webgpu) {
    const { golden, measurements } = webgpu;
    const atLeastTwice = (says: string, over: string) =>
      judge(says, speedRatio(measurements, "abstracts", "webgpu", over), (x) => x >= 2, times);
    claims.push(
      atLeastTwice("On WebGPU abstracts are embedded at least 2 times as fast as by `pipeline` in batches of 32", "pipeline-32"),
      atLeastTwice("… and as by `pipeline` called text by text", "pipeline-1"),
      judge(
        `… with a cosine of at least 0.997 to the published model in float32, on each of ${golden.texts} texts`,
        spreadOf([golden.worst]),
        (x) => x >= 0.997,
        ({ median }) => median.toFixed(4),
      ),
    );
  }
  if (page) claims.push(...pageUseClaims(page));
  if (engine) claims.push(...engineClaims(engine));
  if (vectors) claims.push(...vectorsClaims(vectors));
  if (quality) claims.push(...qualityClaims(quality));
  if (search) claims.push(...searchClaims(search));
  return claims;
}

/** The resident set at the end over that after a tenth of the requests. */
function memoryGrowth({ samples }: SoakResult): number {
  const last = samples.at(-1);
  const early = samples.find(({ requests }) => requests >= (last?.requests ?? 0) / 10);
  return (last?.rssBytes ?? Number.NaN) / (early?.rssBytes ?? Number.NaN);
}

/** `median (min to max)` */
export function formatSpread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}
