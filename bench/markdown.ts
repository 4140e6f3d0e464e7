import type { Environment } from "./environment-schema.ts";

/** Where and with what something was measured, in a line. */
export function environmentLine({ command, date, cpu, cores, memoryBytes, platform, versions, model }: Environment): string {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `\`${command}\`, ${date}: ${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${platform};`,
    `${software.join(", ")}; model ${model.id}, fingerprint ${model.fingerprint.slice(0, 12)}.`,
  ].join(" ");
}

/** Cells that a row lacks are empty. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${head.map((_, column) => cells[column] ?? "").join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}
