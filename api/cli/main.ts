#!/usr/bin/env node
/** The command line: `npx samevec`. Exit codes: 0, 1 for a failure, 2 for a wrong command line or setting, 130 after Ctrl-C. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Encoder, InputType } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { readableExtensions } from "../../shared/reading/read-file.ts";
import type { SearchMode } from "../../shared/search/fusion.ts";
import { createEncoder } from "../node/encoder.ts";
import { serve } from "../node/serve.ts";
import { type Environment, environmentSchema, readEncoderSettings, SettingsError } from "../node/settings.ts";
import { printable } from "../node/terminal.ts";
import { version } from "../version.ts";
import { copyAssets } from "./assets.ts";
import { CommandError, embedFile } from "./embed.ts";
import { formatResult, openIndexFile } from "./index-file.ts";
import { indexFolder } from "./index-folder.ts";
import type { InputFormat } from "./lines.ts";
import { plainProgress, terminalProgress } from "./progress.ts";

// A closed pipe (`| head -1`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const interrupted = new AbortController();
/** How an interrupted command goes on. */
let howToGoOn = "";

const program = new Command("samevec")
  .description("One text, one vector, everywhere: a text encoder as a service and on the command line.")
  .version(version)
  .configureOutput({ writeErr: (text) => process.stderr.write(printable(text)) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .showHelpAfterError("(--help tells more)")
  .addHelpText("after", "\nExit codes: 0, 1 for a failure, 2 for a wrong command line or setting, 130 after Ctrl-C.");

program
  .command("serve")
  .description("Serve the API and the search page.")
  .addOption(setting("HOST", "--host <address>"))
  .addOption(setting("PORT", "--port <port>"))
  .addOption(setting("WORKERS", "--workers <count>"))
  .addOption(setting("MODEL", "--model <model>"))
  .addOption(setting("DEVICE", "--device <device>"))
  .addOption(setting("INDEX_FILE", "--index <file>"))
  .addHelpText("after", "\nEvery other setting is the environment's: README.md lists them. A flag goes before its variable.")
  .action((flags: SettingFlags) => serve(environmentWith(flags)));

program
  .command("embed")
  .description("Embed each line of a file, or of stdin, as a line of JSON.")
  .argument("[file]", "a text per line, or JSONL with a `text` (and, if you like, an `id`) in each line; - for stdin", "-")
  .addOption(
    new Option("-f, --format <format>", "auto: JSONL for .jsonl and .ndjson, else text").choices(["auto", "text", "jsonl"]).default("auto"),
  )
  .addOption(new Option("-t, --input-type <type>", "what the texts are for").choices(["passage", "query"]).default("passage"))
  .option("-d, --dimensions <count>", "keep the first so many dimensions and normalize again", wholeNumber)
  .option("-o, --output <file>", "where to write; stdout when left out")
  .option("--resume", "go on with an --output that was begun with the same input, model and options")
  .option("--strict", "end at the first bad line, instead of reporting it and going on")
  .addOption(setting("WORKERS", "--workers <count>"))
  .addOption(setting("MODEL", "--model <model>"))
  .addOption(setting("DEVICE", "--device <device>"))
  .addHelpText(
    "after",
    `
A line of the output: {"line": from 1, "id": the input's, "tokens": computed, "truncated": cut off, "embedding": [...]}
The output is in the input's order. Blank lines are passed over. A bad line (no UTF-8, no JSON, no text) is reported on
stderr with its number and has no line in the output; the exit code is then 1.`,
  )
  .action(runEmbed);

program
  .command("index")
  .description("Index a folder, for samevec search, samevec serve or the page.")
  .argument("<folder>", `its files (${readableExtensions.join(", ")}), with subfolders`)
  .requiredOption("-o, --output <file>", "the index file; an existing one is updated, and unchanged passages are not embedded again")
  .addOption(setting("WORKERS", "--workers <count>"))
  .addOption(setting("MODEL", "--model <model>"))
  .addOption(setting("DEVICE", "--device <device>"))
  .addHelpText(
    "after",
    "\nThe same files give the same bytes. Unreadable files are reported and skipped. After Ctrl-C, run it again to continue.",
  )
  .action(runIndex);

program
  .command("search")
  .description("Search an index file.")
  .argument("<file>", "made by samevec index or exported from the page")
  .argument("<query>", 'words, "a phrase", -excluded')
  .option("-n, --limit <count>", "maximum number of results", wholeNumber, 10)
  .addOption(new Option("-m, --mode <mode>", "search mode").choices(["hybrid", "semantic", "keyword"]).default("hybrid"))
  .addOption(setting("MODEL", "--model <model>"))
  .addOption(setting("DEVICE", "--device <device>"))
  .action(runSearch);

program
  .command("assets")
  .description("Copy what a page's encoder fetches, the model and its runtimes, to where a site's files are.")
  .argument("<folder>", "a folder of the site, for instance public/samevec")
  .action(runAssets);

program
  .command("info")
  .description("Tell which model is used, its fingerprint, and the versions of what runs it.")
  .option("--json", "as JSON")
  .addOption(setting("MODEL", "--model <model>"))
  .addOption(setting("DEVICE", "--device <device>"))
  .action(runInfo);

interface SettingFlags {
  readonly host?: string;
  readonly port?: string;
  readonly workers?: string;
  readonly model?: string;
  readonly device?: string;
  readonly index?: string;
}

interface EmbedFlags extends SettingFlags {
  readonly format: InputFormat | "auto";
  readonly inputType: InputType;
  readonly dimensions?: number;
  readonly output?: string;
  readonly resume?: true;
  readonly strict?: true;
}

interface SearchFlags extends SettingFlags {
  readonly limit: number;
  readonly mode: SearchMode;
}

/** A flag that stands for a setting of the environment, with its description and default. */
function setting(name: "HOST" | "PORT" | "WORKERS" | "MODEL" | "DEVICE" | "INDEX_FILE", flags: string): Option {
  const { description, unset } = environmentSchema.shape[name].meta() ?? {};
  const value = environmentSchema.shape[name].parse(undefined);
  return new Option(flags, `${description} (${name}; default: ${value ?? unset})`);
}

function environmentWith({ host, port, workers, model, device, index }: SettingFlags): Environment {
  const flags = { HOST: host, PORT: port, WORKERS: workers, MODEL: model, DEVICE: device, INDEX_FILE: index };
  return { ...process.env, ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) };
}

function wholeNumber(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError("It must be a whole number, at least 1.");
}

/**
 * From here on a signal ends the command in good order, and a third one at once. A second one may be the first: `npx` passes on
 * what the terminal has sent to all.
 */
function endOnSignals(advice: string): void {
  howToGoOn = advice;
  let signals = 0;
  const end = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals === 1) interrupted.abort(signal);
    if (signals > 2) process.exit(explain(interrupted.signal.reason));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
}

async function runEmbed(input: string, { workers, model, device, output, resume, strict, ...flags }: EmbedFlags): Promise<void> {
  if (resume && output === undefined) throw new CommandError("--resume goes on with a file: name it by --output", 2);
  endOnSignals("--resume with --output goes on from here");
  // Beside the records themselves a bar would only disturb.
  const terminal = process.stderr.isTTY && !(output === undefined && process.stdout.isTTY);
  const progress = terminal ? terminalProgress(process.stderr) : plainProgress(process.stderr);
  const settings = {
    ...(workers !== undefined && { workers }),
    ...(model !== undefined && { model }),
    ...(device !== undefined && { device }),
  };
  await withEncoder(settings, async (encoder) => {
    const bad = await embedFile(encoder, {
      ...flags,
      input,
      resume: resume === true,
      strict: strict === true,
      ...(output !== undefined && { output }),
      progress,
      signal: interrupted.signal,
    });
    if (bad > 0) process.exitCode = 1;
  });
}

async function runIndex(folder: string, { output, ...flags }: SettingFlags & { readonly output: string }): Promise<void> {
  endOnSignals("the same command goes on from here");
  const previous = await readFile(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  const progress = process.stderr.isTTY ? terminalProgress(process.stderr) : plainProgress(process.stderr);
  let started = false;
  await withEncoder(flags, async (encoder) => {
    try {
      const { file, documents, passages, coverage, skipped } = await indexFolder(folder, encoder, {
        ...(previous && { previous: Uint8Array.from(previous) }),
        signal: interrupted.signal,
        onProgress({ done, total }) {
          if (!started) {
            progress.note(`samevec: ${done} of ${total} passages have their vectors`);
            progress.start(total, done);
          }
          started = true;
          progress.onText(done);
        },
      });
      // Whole or not at all: a file that was there stays until the new one is written.
      await writeFile(`${output}.part`, file);
      await rename(`${output}.part`, output);
      for (const { path, reason } of skipped) progress.note(`samevec: ${path} ${reason}`);
      progress.note(`samevec: ${documents} documents, ${passages} passages, ${file.length} bytes in ${output}`);
      if (coverage.done < coverage.total) {
        progress.note(`samevec: ${coverage.total - coverage.done} passages have no vector yet`);
        interrupted.signal.throwIfAborted();
      }
    } finally {
      if (started) progress.stop();
    }
  });
}

async function runSearch(file: string, query: string, { limit, mode, ...flags }: SearchFlags): Promise<void> {
  await withEncoder({ ...flags, workers: "1" }, async (encoder) => {
    const engine = await openIndexFile(file, encoder);
    const { results } = await engine.search(query, { limit, mode });
    process.stdout.write(results.map((result) => `${formatResult(result)}\n`).join(""));
    if (results.length === 0) console.error("samevec: nothing was found");
  });
}

async function runAssets(folder: string): Promise<void> {
  await copyAssets(folder);
  process.stdout.write(`Copied to ${printable(folder)}. A page takes them from there: createEncoder({ assetsUrl: "/…/" })\n`);
}

async function runInfo({ json, ...flags }: SettingFlags & { readonly json?: true }): Promise<void> {
  await withEncoder({ ...flags, workers: "1" }, async (encoder) => {
    const { id, fingerprint, dimensions, maxTokens, pooling, prompts } = await encoder.load();
    const { device } = encoder.info();
    const about = {
      model: id,
      fingerprint,
      device,
      dimensions,
      maxTokens,
      pooling,
      prompts,
      cores: availableParallelism(),
      versions: { samevec: version, node: process.versions.node, ...(device === "native" && { onnxruntime: runtimeVersion() }) },
    };
    process.stdout.write(json ? `${JSON.stringify(about, null, 2)}\n` : table(about));
  });
}

/** ONNX Runtime's, without loading it. */
function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return version;
}

function table(about: object): string {
  const rows = Object.entries(about).flatMap(([name, value]: [string, unknown]) =>
    typeof value === "object" && value !== null ? Object.entries(value).map(([key, part]) => [`${name}.${key}`, part]) : [[name, value]],
  );
  const width = Math.max(...rows.map(([name]) => String(name).length));
  return rows.map(([name, value]) => printable(`${String(name).padEnd(width)}  ${value}\n`)).join("");
}

/** Hands out an encoder of the settings and frees it in the end. */
async function withEncoder(flags: SettingFlags, use: (encoder: Encoder) => Promise<void>): Promise<void> {
  const encoder = createEncoder(readEncoderSettings(environmentWith(flags)));
  await use(encoder);
  await encoder.dispose();
}

try {
  await program.parseAsync();
} catch (error) {
  process.exit(explain(error));
}

/** Says what went wrong in a line, without a stack, and gives the exit code. */
function explain(error: unknown): number {
  if (interrupted.signal.aborted) {
    console.error(`samevec: interrupted; ${howToGoOn}`);
    return interrupted.signal.reason === "SIGTERM" ? 143 : 130;
  }
  if (error instanceof Error && "code" in error && error.code === "EPIPE") return 0;
  if (error instanceof SettingsError) {
    console.error(printable(`samevec: ${error.message}`));
    return 2;
  }
  if (error instanceof CommandError) {
    console.error(printable(`samevec: ${error.message}`));
    return error.exitCode;
  }
  console.error(printable(`samevec: ${error instanceof Error ? error.message : EncoderError.from(error).message}`));
  return 1;
}
