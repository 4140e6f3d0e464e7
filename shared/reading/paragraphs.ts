import { EncoderError } from "../errors.ts";
import { shortTitle } from "./title.ts";

/** The longest text that is taken from a file, in UTF-16 code units: some ten thousand pages. */
const longestText = 20_000_000;

/** Throws `file_too_large` when a text is longer than what is taken from a file. */
export function refuseLongText(length: number): void {
  if (length <= longestText) return;
  throw new EncoderError("file_too_large", `has more than ${longestText / 1e6} million characters of text in it`, { limit: longestText });
}

/**
 * Makes a text of lines, with blank lines between paragraphs. A small file may make a long text: it is refused as soon as it
 * is too long, with `file_too_large`.
 */
export class Paragraphs {
  readonly #lines: string[] = [];
  #length = 0;
  #between = false;

  /** Adds a line, or several; what is blank is left out. */
  line(line: string): void {
    if (line.trim() === "") return;
    if (this.#between) this.#lines.push("");
    this.#between = false;
    this.#length += line.length + 2;
    refuseLongText(this.#length);
    this.#lines.push(line);
  }

  /** Ends the paragraph, if one has begun. */
  end(): void {
    this.#between = this.#lines.length > 0;
  }

  toString(): string {
    return this.#lines.join("\n");
  }
}

/** What stands before a field of a record: its name on one line, short, and without the sign that would make a heading of it. */
export function labelOf(name: string): string {
  const label = shortTitle(name).replace(/^#+\s+/, "");
  return label === "" ? "" : `${label}: `;
}
