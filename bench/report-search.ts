import { environmentLine, table } from "./markdown.ts";
import type { Scan, SearchBenchmark } from "./search-results.ts";

/** What the search costs as it grows. */
export function searchSections({ environment, rounds, passages, scans, inChromium, sizes }: SearchBenchmark): string[] {
  const rows = sizes.map(({ passages, documents, buildMs, query, memory, file }) => [
    passages.toLocaleString("en"),
    documents.toLocaleString("en"),
    (buildMs / 1e3).toFixed(1),
    ...[query.words, query.meaning, query.hybrid].flatMap(({ p50, p95 }) => [p50.toFixed(1), p95.toFixed(1)]),
    megabytes(memory.vectorBytes),
    megabytes(memory.otherBytes),
    megabytes(file.bytes),
    (file.bytes / passages).toFixed(0),
    (file.writeMs / 1e3).toFixed(2),
    (file.readMs / 1e3).toFixed(2),
  ]);
  const head = [
    "passages",
    "documents",
    "build, s",
    "words p50, ms",
    "p95, ms",
    "meaning p50, ms",
    "p95, ms",
    "hybrid p50, ms",
    "p95, ms",
    "vectors, MB",
    "all else, MB",
    "file, MB",
    "… kB for 1,000 passages",
    "write, s",
    "read, s",
  ];
  return [
    environmentLine(environment),
    `${passages.toLocaleString("en")} passages of Cranfield, and what is made of them; each query ${rounds} times.`,
    "**Vectors near a query**, without embedding it, in Node",
    scanTable(scans),
    `**… in a worker of Chromium ${inChromium.browser}**, whose clock tells tenths of a ms`,
    scanTable(inChromium.scans),
    "**The whole search**, without embedding: from documents to an index, from a query and its vector to eight results, from the index to a file and back",
    table(head, rows),
  ];
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

function scanTable(scans: readonly Scan[]): string {
  const rows = scans.map(({ vectors, recall, buildMs, used, full }) => [
    vectors.toLocaleString("en"),
    ...[used.p50, used.p95, full.p50, full.p95].map((ms) => ms.toFixed(2)),
    recall.toFixed(4),
    buildMs.toFixed(0),
  ]);
  return table(["vectors", "p50, ms", "p95, ms", "full scan p50, ms", "p95, ms", "of its ten best, found", "build, ms"], rows);
}
