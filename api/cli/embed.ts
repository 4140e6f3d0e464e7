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
  /** A path, or `-` for stdin. */
  readonly input: string;
  /** A path; stdout when left out. */
  readonly output?: string;
  readonly format: InputFormat | "auto";
  readonly inputType: InputType;
  readonly dimensions?: number;
  /** Go on behind the last whole line of `output`. */
  readonly resume: boolean;
  /** End at the first bad line. */
  readonly strict: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** The command cannot do what it was told. Its message is for the person who typed it. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** 2 where the command line itself is wrong, else 1. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Texts on their way at once for each worker: enough that none idles behind a long one. */
const textsPerWorker = 16;

/**
 * Embeds each line of a file. The output is in the input's order and holds the same bytes whether it was written in one
 * go or resumed. However long the input, a few lines are held at a time.
 * @returns how many lines were bad; each was noted with its number
 */
export async function embedFile(encoder: Encoder, options: EmbedFileOptions): Promise<number> {
  const { input, output, resume, inputType, dimensions, progress, signal } = options;
  const bytes = await inputSize(input, output);
  const { dimensions: most, maxTokens } = await encoder.load({ signal });
  if (dimensions !== undefined && dimensions > most) throw new CommandError(`--dimensions: the model has ${most}`, 2);

  let bad = 0;
  let cut = 0;
  const reportBad = ({ number, fault }: { number: number; fault: string }) => {
    bad += 1;
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
    if (!embedding) throw new CommandError(`line ${line.number}: the encoder gave no vector`, 1);
    const record = {
      line: line.number,
      ...(line.id !== undefined && { id: line.id }),
      tokens: tokens[0] ?? 0,
      truncated: truncated[0] ?? 0,
    };
    return { end: line.end, truncated: record.truncated, record: formatRecord({ ...record, embedding }) };
  };

  const lines = readLines(input === "-" ? process.stdin : createReadStream(input), formatOf(options));
  const done = resume && output !== undefined ? await skipDone(output, lines, embedLine, reportBad) : 0;

  async function* records(): AsyncGenerator<string> {
    for await (const embedded of inOrder(lines, textsPerWorker * encoder.info().workers.size, embedLine)) {
      if ("fault" in embedded) {
        reportBad(embedded);
        continue;
      }
      yield embedded.record;
      if (embedded.truncated > 0) cut += 1;
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
  if (cut > 0) progress.note(`samevec: texts cut at the model's ${maxTokens} tokens: ${cut}`);
  if (bad > 0) progress.note(`samevec: bad lines, without a vector: ${bad}`);
  return bad;
}

/**
 * Takes from `lines` all that `output` has, and cuts off its last line when that is not whole.
 * @returns the bytes of the input that are done
 */
async function skipDone(
  output: string,
  lines: AsyncGenerator<InputLine>,
  embedLine: (line: InputLine) => Promise<{ fault: string } | { end: number; record: string }>,
  reportBad: (line: { number: number; fault: string }) => void,
): Promise<number> {
  const begun = await readBeginning(output);
  if (!begun) {
    await truncate(output, 0).catch(ignoreMissing);
    return 0;
  }
  const last = parseRecord(begun.lastLine);
  if (!last) throw new CommandError(`${output} cannot be resumed: it was not written by this command`, 1);
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const line = next.value;
    if ("fault" in line) reportBad(line);
    if (line.number < last.line) continue;
    // The last text is computed once more: another input, model, input type or number of dimensions gives another record.
    const embedded = line.number === last.line ? await embedLine(line) : null;
    const again = embedded && "record" in embedded ? parseRecord(embedded.record) : null;
    if (!again || !isSameRecord(again, last)) break;
    await truncate(output, begun.bytes);
    return line.end;
  }
  throw new CommandError(`${output} cannot be resumed: line ${last.line} of it is of another input, model or set of options`, 1);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** Bytes of the input, null for what is no file. Refuses an output that would overwrite it. */
async function inputSize(input: string, output: string | undefined): Promise<number | null> {
  if (input === "-") return null;
  const read = await stat(input);
  if (read.isDirectory()) throw new CommandError(`${input} is a folder, not a file`, 1);
  const written = output === undefined ? null : await stat(output).catch(() => null);
  if (written && written.ino === read.ino && written.dev === read.dev) {
    throw new CommandError(`${output} is the input: it cannot be the output too`, 2);
  }
  return read.isFile() ? read.size : null;
}

function formatOf({ format, input }: EmbedFileOptions): InputFormat {
  if (format !== "auto") return format;
  return [".jsonl", ".ndjson"].includes(extname(input).toLowerCase()) ? "jsonl" : "text";
}
