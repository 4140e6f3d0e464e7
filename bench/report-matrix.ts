import type { DeviceId } from "./devices/device.ts";
import { environmentLine, table } from "./markdown.ts";
import type { QualityResult, VectorsResult } from "./matrix-results.ts";

/** Every device's vectors against every other's, and a device's own however they are asked for. */
export function vectorsSections({ environment, sets, skipped }: VectorsResult): string[] {
  return [
    environmentLine(environment),
    "A cell has the worst cosine of any text, and after the slash the mean. The worst is over every way that the texts are asked for on both devices: alone, all in one call, and alone while other calls are under way.",
    ...sets.flatMap(({ name, texts, devices, between, within }) => {
      const cell = (a: DeviceId, b: DeviceId) => {
        const found = between.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
        if (!found) return "";
        return `${found.worst.toFixed(5)} / ${found.mean.toFixed(5)}${found.texts < texts ? ` (${found.texts} short ones)` : ""}`;
      };
      const rows = devices.map(({ id, label }, row) => [label, ...devices.slice(0, row).map((other) => cell(id, other.id))]);
      const labelOf = (id: DeviceId) => devices.find((device) => device.id === id)?.label ?? id;
      const doing = { alone: "alone", together: "all in one call", loaded: "among other calls" };
      const own = within.map(({ device, way, identical, texts: compared, worst, largestDifference }) => [
        labelOf(device),
        doing[way],
        `${identical} of ${compared}`,
        worst.toFixed(7),
        largestDifference === 0 ? "0" : largestDifference.toExponential(1),
      ]);
      return [
        `**${texts} ${name}**`,
        table(["", ...devices.slice(0, -1).map(({ label }) => label)], rows),
        `Of the same ${name}, against the vectors that a device gives each alone:`,
        table(["device", "asked", "the same to the last bit", "worst cosine", "largest difference of a component"], own),
      ];
    }),
    ...skippedLines(skipped),
  ];
}

/** What the search finds with the vectors of each device. */
export function qualitySections({ environment, documents, passages, queries, devices, skipped }: QualityResult): string[] {
  const four = (figure: number) => figure.toFixed(4);
  const rows = devices.flatMap(({ label, modes }) =>
    modes.map(({ mode, gain, recall }) => [
      label,
      mode,
      ...[gain.reported, gain.chosenOn, gain.all, recall.reported, recall.chosenOn, recall.all].map(four),
    ]),
  );
  const head = [
    "vectors of",
    "mode",
    "nDCG@10, even queries",
    "odd ones, on which weights were chosen",
    "all",
    "recall@100, even queries",
    "odd ones",
    "all",
  ];
  return [
    environmentLine(environment),
    `Cranfield, ${documents.toLocaleString("en")} abstracts in ${passages.toLocaleString("en")} passages, ${queries} queries. The search ranks 200 passages by words, and leaves out what it holds to be irrelevant: its recall is that of what it would show, not of all that it could rank.`,
    table(head, rows),
    ...skippedLines(skipped),
  ];
}

function skippedLines(skipped: readonly { device: DeviceId; reason: string }[]): string[] {
  return skipped.length === 0 ? [] : [skipped.map(({ device, reason }) => `SKIPPED: ${device}: ${reason}.`).join("\n")];
}
