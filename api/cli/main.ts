#!/usr/bin/env node
/**
 * The command line `npx samevec`. Exit codes: 0, 1 for a failure, 2 for an invalid command line or setting, 130 after Ctrl-C, 143 after
 * SIGTERM.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Encoder, InputType } from "../../shared/encoder/encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import type { SearchMode } from "../../shared/index/fusion.ts";
import { readableExtensions } from "../../shared/reading/read-file.ts";
import { createEncoder } from "../node/encoder.ts";
import { loadScan } from "../node/scan.ts";
import { serve } from "../node/serve.ts";
import { type Environment, environmentSchema, readEncoderSettings, SettingsError } from "../node/settings.ts";
import { printable, printableJson } from "../node/terminal.ts";
import { version } from "../version.ts";
import { copyAssets } from "./assets.ts";
import { CommandError, embedFile } from "./embed.ts";
import { formatHit, openIndexFile } from "./index-file.ts";
import { indexFolder } from "./index-folder.ts";
import type { InputFormat } from "./lines.ts";
import { plainProgress, terminalProgress } from "./progress.ts";

// A closed pipe (`| head -1`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const interrupted = new AbortController();
/** How to continue after an interruption, for the user. */
let resumeAdvice = "";

const settingFlags = {
  HOST: "--host <address>",
  PORT: "--port <port>",
  WORKERS: "--workers <count>",
  MODEL: "--model <model>",
  DEVICE: "--device <device>",
  INDEX_FILE: "--index <file>",
} as const;

const program = new Command("samevec")
  .description("One text, one vector, everywhere: a text encoder as a service and on the command line.")
  .version(version)
  .configureOutput({ writeErr: (text) => process.stderr.write(printable(text)) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .showHelpAfterError("(use --help for details)")
  .addHelpText("after", "\nExit codes: 0, 1 for a failure, 2 for an invalid command line or setting, 130 after Ctrl-C.");

withSettings(program.command("serve"), "HOST", "PORT", "WORKERS", "MODEL", "DEVICE", "INDEX_FILE")
  .description("Serve the API and the search page.")
  .addHelpText(
    "after",
    "\nEnvironment variables configure all other settings: see docs/configuration.md. A flag takes precedence over its variable.",
  )
  .action((flags: SettingFlags) => serve(environmentWith(flags)));

withSettings(program.command("embed"), "WORKERS", "MODEL", "DEVICE")
  .description("Embed each line of a file or stdin and write one JSON line per text.")
  .argument("[file]", "one text per line, or JSONL with a `text` and optionally an `id`; - for stdin", "-")
  .addOption(
    new Option("-f, --format <format>", "input format; auto: JSONL for .jsonl and .ndjson, otherwise text")
      .choices(["auto", "text", "jsonl"])
      .default("auto"),
  )
  .addOption(new Option("-t, --input-type <type>", "input type of the texts").choices(["passage", "query"]).default("passage"))
  .option("-d, --dimensions <count>", "keep the first dimensions of each vector and normalize again", wholeNumber)
  .option("-o, --output <file>", "output file (default: stdout)")
  .option("--resume", "continue an interrupted --output of the same input, model and options")
  .option("--strict", "stop at the first invalid line instead of skipping it")
  .addHelpText(
    "after",
    `
Output line: {"line": number from 1, "id": of the input, "tokens": computed, "truncated": tokens removed, "embedding": [...]}
The output has the order of the input. Blank lines are skipped. Invalid lines (not UTF-8, not JSON, no text) are skipped and
reported on stderr with their line number; the exit code is then 1.`,
  )
  .action(runEmbed);

withSettings(program.command("index"), "WORKERS", "MODEL", "DEVICE")
  .description("Index a folder for samevec search, samevec serve or the page.")
  .argument("<folder>", `folder to index, with subfolders (${readableExtensions.join(", ")})`)
  .requiredOption("-o, --output <file>", "index file; an existing file is updated, and unchanged passages are not embedded again")
  .addHelpText(
    "after",
    "\nThe same files give the same bytes. Unreadable files are reported and skipped. After Ctrl-C, run the command again to continue.",
  )
  .action(runIndex);

withSettings(program.command("search"), "MODEL", "DEVICE")
  .description("Search an index file.")
  .argument("<file>", "index file, created by samevec index or exported from the page")
  .argument("<query>", 'words, "a phrase", -excluded')
  .option("-n, --limit <count>", "maximum number of results", wholeNumber, 10)
  .addOption(new Option("-m, --mode <mode>", "search mode").choices(["hybrid", "semantic", "keyword"]).default("hybrid"))
  .option("--json", "print the mode and the hits as POST /search does")
  .action(runSearch);

program
  .command("assets")
  .description("Copy the model and the runtimes that a page's encoder fetches to a folder of a site.")
  .argument("<folder>", "folder of the site, such as public/samevec")
  .action(runAssets);

withSettings(program.command("info"), "MODEL", "DEVICE")
  .description("Show the model, its fingerprint, the device and versions.")
  .option("--json", "print JSON")
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
  readonly json?: true;
}

/** Adds flags of settings, with their descriptions and defaults. */
function withSettings(command: Command, ...names: readonly (keyof typeof settingFlags)[]): Command {
  for (const name of names) {
    const { description, unset } = environmentSchema.shape[name].meta() ?? {};
    const value = environmentSchema.shape[name].parse(undefined);
    command.addOption(new Option(settingFlags[name], `${description} (${name}; default: ${value ?? unset})`));
  }
  return command;
}

function environmentWith({ host, port, workers, model, device, index }: SettingFlags): Environment {
  const flags = { HOST: host, PORT: port, WORKERS: workers, MODEL: model, DEVICE: device, INDEX_FILE: index };
  return { ...process.env, ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) };
}

function wholeNumber(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError("Must be a whole number of at least 1.");
}

/**
 * From now on, the first SIGINT or SIGTERM stops the command gracefully and the third exits at once. The second is ignored: it may be the
 * same Ctrl-C, which the terminal sends to all processes and `npx` forwards.
 */
function endOnSignals(advice: string): void {
  resumeAdvice = advice;
  let signals = 0;
  const end = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals === 1) interrupted.abort(signal);
    if (signals > 2) process.exit(reportError(interrupted.signal.reason));
  };
  process.on("SIGINT", end).on("SIGTERM", end);
}

async function runEmbed(input: string, { workers, model, device, output, resume, strict, ...flags }: EmbedFlags): Promise<void> {
  if (resume && output === undefined) throw new CommandError("--resume requires --output", 2);
  endOnSignals("--resume with --output continues");
  // No progress bar when the records go to the same terminal.
  const terminal = process.stderr.isTTY && !(output === undefined && process.stdout.isTTY);
  const progress = terminal ? terminalProgress(process.stderr) : plainProgress(process.stderr);
  const settings = {
    ...(workers !== undefined && { workers }),
    ...(model !== undefined && { model }),
    ...(device !== undefined && { device }),
  };
  await withEncoder(settings, async (encoder) => {
    const invalidCount = await embedFile(encoder, {
      ...flags,
      input,
      resume: resume === true,
      strict: strict === true,
      ...(output !== undefined && { output }),
      progress,
      signal: interrupted.signal,
    });
    if (invalidCount > 0) process.exitCode = 1;
  });
}

async function runIndex(folder: string, { output, ...flags }: SettingFlags & { readonly output: string }): Promise<void> {
  endOnSignals("run the same command to continue");
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
            progress.note(`samevec: ${done} of ${total} passages are already embedded`);
            progress.start(total, done);
          }
          started = true;
          progress.onText(done);
        },
      });
      // Replaces an existing file atomically, with bytes that are on the disk.
      await writeFile(`${output}.part`, file, { flush: true });
      await rename(`${output}.part`, output);
      for (const { path, reason } of skipped) progress.note(`samevec: ${path} ${reason}`);
      progress.note(`samevec: ${documents} documents, ${passages} passages, ${file.length} bytes in ${output}`);
      if (coverage.done < coverage.total) {
        progress.note(`samevec: ${coverage.total - coverage.done} passages are not embedded yet`);
        interrupted.signal.throwIfAborted();
      }
    } finally {
      if (started) progress.stop();
    }
  });
}

async function runSearch(file: string, query: string, { limit, mode, json, ...flags }: SearchFlags): Promise<void> {
  await withEncoder({ ...flags, workers: "1" }, async (encoder) => {
    const engine = await openIndexFile(file, encoder, await loadScan());
    const answer = await engine.search(query, { limit, mode });
    if (json) process.stdout.write(`${printableJson({ mode: answer.mode, hits: answer.hits })}\n`);
    else process.stdout.write(answer.hits.map((hit) => `${formatHit(hit)}\n`).join(""));
    if (answer.hits.length === 0) console.error("samevec: no results");
  });
}

async function runAssets(folder: string): Promise<void> {
  await copyAssets(folder);
  process.stdout.write(`Copied to ${printable(folder)}. Load the encoder in a page with createEncoder({ assetsUrl: "/…/" })\n`);
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
    process.stdout.write(json ? `${printableJson(about)}\n` : table(about));
  });
}

/** Version of ONNX Runtime, read without loading it. */
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

/** Runs `use` with an encoder of the settings and disposes it afterwards. */
async function withEncoder(flags: SettingFlags, use: (encoder: Encoder) => Promise<void>): Promise<void> {
  const encoder = createEncoder(readEncoderSettings(environmentWith(flags)));
  await use(encoder);
  await encoder.dispose();
}

try {
  await program.parseAsync();
} catch (error) {
  process.exit(reportError(error));
}

/** Prints an error on one line, without a stack trace, and returns the exit code. */
function reportError(error: unknown): number {
  if (interrupted.signal.aborted) {
    console.error(`samevec: interrupted; ${resumeAdvice}`);
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
