/** Writes the table of settings into Markdown files: `node dist/api/build/configuration-table.js README.md`. */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { environmentSchema } from "../node/settings.ts";

const section = /(<!-- configuration -->\n)[\s\S]*?(<!-- \/configuration -->)/;

/** `markdown` with the settings as they are between its two markers. Throws when it has none. */
export function withConfigurationTable(markdown: string): string {
  if (!section.test(markdown)) throw new Error("there is no <!-- configuration --> … <!-- /configuration --> to fill");
  return markdown.replace(section, (_, begin: string, end: string) => `${begin}${configurationTable()}\n${end}`);
}

function configurationTable(): string {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const { description, unset } = schema.meta() ?? {};
    const value = schema.parse(undefined);
    return `| \`${name}\` | ${unset ?? `\`${value}\``} | ${description} |`;
  });
  return ["| Variable | Default | What it is |", "|---|---|---|", ...rows].join("\n");
}

const [, script = "", ...files] = process.argv;
if (import.meta.url === pathToFileURL(script).href) {
  for (const file of files) writeFileSync(file, withConfigurationTable(readFileSync(file, "utf8")));
}
