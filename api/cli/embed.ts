import { createReadStream, createWriteStream } from "node:fs";
import { stat, truncate } from "node:fs/promises";
import { extname } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Encoder, InputType } from "../../shared/encoder/encoder.ts";
import { inOrder } from "./in-order.ts";
import { type InputFormat, type InputLine, readLines } from "./lines.ts";
import type { Progress } from "./progress.ts";
import { formatRecord, isSameRecord, parseRecord, readBeginning } from "./records.ts";

export interface EmbedFileOptions {
  /** Path, or `-` for stdin. */
  readonly input: string;
  /** Path. Default: stdout. */
  readonly output?: string;
  readonly format: InputFormat | "auto";
  readonly inputType: InputType;
  readonly dimensions?: number;
  /** Continue after the last complete line of `output`. */
  readonly resume: boolean;
  /** Stop at the first invalid line. */
  readonly strict: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A failure that the command reports to the user without a stack trace. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** 2 for an invalid command line, otherwise 1. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Concurrent texts per worker, so that no worker is idle while another computes a long text. */
const textsPerWorker = 16;

/**
 * Embeds each line of a file. The output has the input's order. A resumed output has the same bytes as an uninterrupted one. Memory use
 * does not depend on the input's length. Rejects with `CommandError`, with file system errors and with the errors of `Encoder.embed`.
 * @returns the number of invalid lines, each reported to `progress` with its line number
 */
export async function embedFile(encoder: Encoder, options: EmbedFileOptions): Promise<number> {
  const { input, output, resume, inputType, dimensions, progress, signal } = options;
  const bytes = await inputSize(input, output);
  const { dimensions: maxDimensions, maxTokens } = await encoder.load({ signal });
  if (dimensions !== undefined && dimensions > maxDimensions) {
    throw new CommandError(`--dimensions: the model has ${maxDimensions} dimensions`, 2);
  }

  let invalidCount = 0;
  let truncatedCount = 0;
  const reportInvalid = ({ number, fault }: { number: number; fault: string }) => {
    invalidCount += 1;
    if (options.strict) throw new CommandError(`line ${number}: ${fault}`, 1);
    progress.note(`samevec: line ${number}: ${fault}`);
  };
  const embedLine = async (line: InputLine) => {
    if ("fault" in line) return line;
    const { vectors, tokens, truncated } = await encoder.embed(line.text, {
      inputType,
      ...(dimensions !== undefined && { dimensions }),
    });
    const [embedding] = vectors;
    if (!embedding) throw new CommandError(`line ${line.number}: the encoder returned no vector`, 1);
    const record = {
      line: line.number,
      ...(line.id !== undefined && { id: line.id }),
      tokens: tokens[0] ?? 0,
      truncated: truncated[0] ?? 0,
    };
    return { end: line.end, truncated: record.truncated, record: formatRecord({ ...record, embedding }) };
  };

  const lines = readLines(input === "-" ? process.stdin : createReadStream(input), formatOf(options));
  const done = resume && output !== undefined ? await skipDone(output, lines, embedLine, reportInvalid) : 0;

  async function* records(): AsyncGenerator<string> {
    for await (const embedded of inOrder(lines, textsPerWorker * encoder.info().workers.size, embedLine)) {
      if ("fault" in embedded) {
        reportInvalid(embedded);
        continue;
      }
      yield embedded.record;
      if (embedded.truncated > 0) truncatedCount += 1;
      progress.onText(embedded.end);
    }
  }
  progress.start(bytes, done);
  try {
    if (output === undefined) await pipeline(records, process.stdout, { signal, end: false });
    else await pipeline(records, createWriteStream(output, { flags: resume ? "a" : "w" }), { signal });
  } finally {
    progress.stop();
  }
  if (truncatedCount > 0) progress.note(`samevec: texts truncated at the model's limit of ${maxTokens} tokens: ${truncatedCount}`);
  if (invalidCount > 0) progress.note(`samevec: invalid lines skipped: ${invalidCount}`);
  return invalidCount;
}

/**
 * Skips the lines that `output` already contains, and removes an incomplete last line of `output`.
 * @returns the number of skipped bytes of the input
 */
async function skipDone(
  output: string,
  lines: AsyncGenerator<InputLine>,
  embedLine: (line: InputLine) => Promise<{ fault: string } | { end: number; record: string }>,
  reportInvalid: (line: { number: number; fault: string }) => void,
): Promise<number> {
  const previous = await readBeginning(output);
  if (!previous) {
    await truncate(output, 0).catch(ignoreMissing);
    return 0;
  }
  const last = parseRecord(previous.lastLine);
  if (!last) throw new CommandError(`${output} cannot be resumed: it was not written by samevec embed`, 1);
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const line = next.value;
    if ("fault" in line) reportInvalid(line);
    if (line.number < last.line) continue;
    // The last text is embedded again: a different input, model, input type or number of dimensions gives a different record.
    const embedded = line.number === last.line ? await embedLine(line) : null;
    const again = embedded && "record" in embedded ? parseRecord(embedded.record) : null;
    if (!again || !isSameRecord(again, last)) break;
    await truncate(output, previous.bytes);
    return line.end;
  }
  throw new CommandError(`${output} cannot be resumed: its line ${last.line} was written with another input, model or options`, 1);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** Size of the input in bytes; null if it is not a regular file. Throws `CommandError` when `output` is the same file. */
async function inputSize(input: string, output: string | undefined): Promise<number | null> {
  if (input === "-") return null;
  const read = await stat(input);
  if (read.isDirectory()) throw new CommandError(`${input} is a folder, not a file`, 1);
  const written = output === undefined ? null : await stat(output).catch(() => null);
  if (written && written.ino === read.ino && written.dev === read.dev) {
    throw new CommandError(`${output} is both input and output`, 2);
  }
  return read.isFile() ? read.size : null;
}

function formatOf({ format, input }: EmbedFileOptions): InputFormat {
  if (format !== "auto") return format;
  return [".jsonl", ".ndjson"].includes(extname(input).toLowerCase()) ? "jsonl" : "text";
}
