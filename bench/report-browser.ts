import { formatSpread, speedRatio } from "./claims.ts";
import { environmentLine, table } from "./markdown.ts";
import type { BrowserComparison, WebgpuResult } from "./results.ts";
import { spreadOf } from "./statistics.ts";

/** Contenders on WASM in Chromium. */
export function browserSections(comparison: BrowserComparison): string[] {
  return [environmentLine(comparison.environment), ...comparisonSections(comparison), ...visitSections(comparison)];
}

/** Contenders on WebGPU in Chromium, or how to measure them. */
export function webgpuSections(result: WebgpuResult | null): string[] {
  if (!result) return ["Not measured: that takes graphics hardware. `npm run bench -- webgpu --peer-model DIR` on a machine that has it."];
  const { environment, adapter, golden } = result;
  return [
    environmentLine(environment),
    `Graphics hardware: ${adapter}. transformers.js runs the published float32 graph (\`onnx/model.onnx\`) on it. Our vectors of the ${golden.texts} golden texts have a cosine to those of the published model in float32 of ${golden.mean.toFixed(4)} in the mean, and of ${golden.worst.toFixed(4)} at worst.`,
    ...comparisonSections(result),
  ];
}

function comparisonSections({ browser, rounds, contenders, textSets, measurements, skipped }: BrowserComparison): string[] {
  const reference = contenders[0]?.id ?? "";
  return textSets.map(({ name, texts, tokens }) => {
    const elsewhere = measurements.map(({ coresElsewhere }) => coresElsewhere);
    const rows = contenders.map(({ id, label }) => {
      const skip = skipped.find(({ contender }) => contender === id);
      const own = measurements.filter(({ contender }) => contender === id);
      if (skip || own.length === 0) return [label, `SKIPPED: ${skip?.reason}`];
      const ratio = id === reference ? null : speedRatio(measurements, name, reference, id);
      const peaks = own.flatMap(({ peakBytes }) => (peakBytes === null ? [] : peakBytes / 1e6));
      const longestTask = (part: "loading" | "embedding") => {
        const longest = Math.max(...own.map((each) => each.longestTask[part]));
        return longest === 0 ? "none of 50" : longest.toFixed(0);
      };
      return [
        label,
        formatSpread(spreadOf(own.map(({ seconds }) => texts / seconds)), 1),
        ratio ? `${formatSpread(ratio, 2)} ×` : "",
        formatSpread(spreadOf(own.map(({ cpuSeconds }) => (cpuSeconds * 1e3) / texts)), 0),
        peaks.length > 0 ? formatSpread(spreadOf(peaks), 0) : "not known",
        longestTask("loading"),
        longestTask("embedding"),
        id === reference ? "" : Math.min(...own.map(({ worstCosine }) => worstCosine)).toFixed(4),
      ];
    });
    const caption = `Chromium ${browser}, **${texts} ${name}**, ${tokens.toLocaleString("en")} tokens, rounds: ${rounds}; meanwhile other processes kept ${formatSpread(spreadOf(elsewhere), 1)} cores busy`;
    const head = [
      "",
      "texts/s",
      "speed of the first against it",
      "CPU ms per text",
      "peak memory of the page's process, MB",
      "longest task of the page while it loads, ms",
      "… while it embeds, ms",
      "worst cosine to the first",
    ];
    return `${caption}\n\n${table(head, rows)}`;
  });
}

function visitSections({ contenders, visits }: BrowserComparison): string[] {
  const rows = contenders.flatMap(({ id, label }) => {
    const own = visits.filter(({ contender }) => contender === id);
    if (own.length === 0) return [];
    const cells = (visit: "cold" | "warm") => [
      formatSpread(spreadOf(own.map((seen) => seen[visit].ms / 1e3)), 2),
      formatSpread(spreadOf(own.map((seen) => seen[visit].bytes / 1e6)), 1),
    ];
    const longest = Math.max(...own.flatMap(({ cold, warm }) => [cold.longestTask, warm.longestTask]));
    return [[label, ...cells("cold"), ...cells("warm"), longest === 0 ? "none of 50" : longest.toFixed(0)]];
  });
  if (rows.length === 0) return [];
  return [
    "From the navigation to the first vector, of a short text, in a browser that knows nothing of the page, and in the same one started anew. The server is on this machine: a network adds its own time for what it carries.",
    table(["", "first visit, s", "downloaded, MB", "second visit, s", "downloaded, MB", "longest task of the page, ms"], rows),
  ];
}
