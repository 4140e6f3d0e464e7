import { type Claim, judgeOnce } from "./claim.ts";
import type { DeviceId } from "./devices/device.ts";
import type { QualityResult, VectorsResult } from "./matrix-results.ts";
import type { Scan, SearchBenchmark } from "./search-results.ts";

/** Where the WebAssembly engine computes. */
const enginePlaces: { readonly [device in DeviceId]?: string } = { wasm: "Node", page: "Chromium", edge: "workerd" };

/** Of the vectors of all devices. */
export function vectorsClaims({ sets }: VectorsResult): Claim[] {
  return sets.flatMap(({ name, texts, devices, between, within }) => {
    const ofAll = within.filter((own) => own.texts === texts);
    const largest = Math.max(...ofAll.map(({ largestDifference }) => largestDifference));
    const withPublished = ({ a, b }: (typeof between)[number]) => a === "published" || b === "published";
    // Of pairs that were not measured nothing is claimed.
    const near = (says: string, pairs: typeof between): Claim[] => {
      if (pairs.length === 0) return [];
      const worst = Math.min(...pairs.map((pair) => pair.worst));
      return [judgeOnce(says, worst, (x) => x >= 0.994, worst.toFixed(4))];
    };
    const count = texts.toLocaleString("en");
    const onEngine = between.filter(({ a, b }) => enginePlaces[a] && enginePlaces[b]);
    const places = devices.flatMap(({ id }) => enginePlaces[id] ?? []);
    const fewest = Math.min(...onEngine.map(({ identical }) => identical));
    return [
      ...(onEngine.length > 0
        ? [
            judgeOnce(
              `The engine gives each of ${count} ${name} the same bits in ${places.join(", ")}`,
              fewest,
              (x) => x === texts,
              `${fewest} of ${texts}`,
            ),
          ]
        : []),
      judgeOnce(
        `On every device, each of ${count} ${name} has the same vector alone, in one call with all others and among other calls, to 1e-6 per component`,
        largest,
        (x) => x <= 1e-6,
        `largest difference ${largest === 0 ? "0" : largest.toExponential(1)}`,
      ),
      ...near(
        "… on any two devices vectors with a cosine of at least 0.994",
        between.filter((pair) => !withPublished(pair)),
      ),
      ...near("… and on each at least 0.994 to that of the published model in float32", between.filter(withPublished)),
    ];
  });
}

/** Of what is found with the vectors of each device. */
export function qualityClaims({ devices }: QualityResult): Claim[] {
  const gain = (device: QualityResult["devices"][number], mode: string) =>
    device.modes.find((found) => found.mode === mode)?.gain.reported ?? Number.NaN;
  const own = devices.filter(({ id }) => id !== "published");
  const leads = own.map((device) => gain(device, "hybrid") - Math.max(gain(device, "meaning"), gain(device, "words")));
  const least = Math.min(...leads);
  return [
    judgeOnce(
      `Words and meaning together find better than either alone, by 0.015 nDCG@10${own.length > 1 ? `, on each of ${own.length} devices` : ""}`,
      least,
      (x) => x >= 0.015,
      least.toFixed(3),
    ),
  ];
}

const limits = [
  { vectors: 10_000, ms: 5 },
  { vectors: 100_000, ms: 15 },
];

/** Of vectors near a query, in Node and in Chromium. */
export function searchClaims({ scans, inChromium }: SearchBenchmark): Claim[] {
  const within = (where: string, scans: readonly Scan[]) =>
    limits.flatMap(({ vectors, ms }) => {
      const scan = scans.find((scan) => scan.vectors === vectors);
      if (!scan) return [];
      const among = `among ${vectors.toLocaleString("en")} vectors`;
      return [
        judgeOnce(
          `${where} the nearest ${among} are found in less than ${ms} ms`,
          scan.used.p50,
          (x) => x < ms,
          `${scan.used.p50.toFixed(2)} ms (p50)`,
        ),
        judgeOnce("… and at least 0.99 of the ten that a full scan finds", scan.recall, (x) => x >= 0.99, scan.recall.toFixed(4)),
      ];
    });
  return [...within("In Node", scans), ...within("In Chromium", inChromium.scans)];
}
