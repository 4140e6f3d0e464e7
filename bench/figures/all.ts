import { mkdir, writeFile } from "node:fs/promises";
import type { Results } from "../kept-results.ts";
import type { Figure } from "./canvas.ts";
import { drawMemory, drawThroughput } from "./contenders.ts";
import { drawLatency } from "./latency.ts";
import { drawGrowth, drawSearch, drawSoak, drawWorkers } from "./lines.ts";

/** Seen from `dist/bench/figures`. */
const folder = new URL("../../../docs/figures/", import.meta.url);

/** What these results can show. */
export function figuresOf({ encode, growth, fastapi, search, soak }: Results): Figure[] {
  return [
    ...(encode ? [drawThroughput(encode), drawMemory(encode)] : []),
    ...(growth ? [drawGrowth(growth), drawWorkers(growth)] : []),
    ...(fastapi ? [drawLatency(fastapi)] : []),
    ...(search ? [drawSearch(search)] : []),
    ...(soak ? [drawSoak(soak)] : []),
  ];
}

/** Writes them where {@link imageOf} looks for them. */
export async function writeFigures(figures: readonly Figure[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, svg } of figures) await writeFile(new URL(`${name}.svg`, folder), svg);
}

/** A figure in BENCHMARKS.md. */
export const imageOf = ({ name, title }: Pick<Figure, "name" | "title">) => `![${title}](docs/figures/${name}.svg)`;
