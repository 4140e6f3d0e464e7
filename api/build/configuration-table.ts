/** Updates the settings table in Markdown files: `node dist/api/build/configuration-table.js docs/configuration.md`. */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { environmentSchema } from "../node/settings.ts";

const section = /(<!-- configuration -->\n)[\s\S]*?(<!-- \/configuration -->)/;

/** Replaces the text between the two configuration markers by the settings table. Throws when a marker is missing. */
export function withConfigurationTable(markdown: string): string {
  if (!section.test(markdown)) throw new Error("the markers <!-- configuration --> and <!-- /configuration --> are missing");
  return markdown.replace(section, (_, begin: string, end: string) => `${begin}${configurationTable()}\n${end}`);
}

function configurationTable(): string {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const { description, unset } = schema.meta() ?? {};
    const value = schema.parse(undefined);
    return `| \`${name}\` | ${unset ?? `\`${value}\``} | ${description} |`;
  });
  return ["| Variable | Default | Description |", "|---|---|---|", ...rows].join("\n");
}

const [, script = "", ...files] = process.argv;
if (import.meta.url === pathToFileURL(script).href) {
  for (const file of files) writeFileSync(file, withConfigurationTable(readFileSync(file, "utf8")));
}
