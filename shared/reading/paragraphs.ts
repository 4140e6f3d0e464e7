import { EncoderError } from "../errors.ts";
import { shortTitle } from "./title.ts";

/** Maximum length of the text of a file, in UTF-16 code units: about ten thousand pages. */
const maxText = 20_000_000;

/** Throws `file_too_large` for a text that exceeds the maximum length. */
export function checkTextLength(length: number): void {
  if (length <= maxText) return;
  throw new EncoderError("file_too_large", `contains more than ${maxText / 1e6} million characters of text`, { limit: maxText });
}

/**
 * Builds a text from lines, with blank lines between paragraphs. Throws `file_too_large` as soon as the text exceeds the maximum length,
 * since a small file may expand to a long text.
 * @example
 * const paragraphs = new Paragraphs();
 * paragraphs.line("name: Ada");
 * paragraphs.end();
 * paragraphs.toString();
 */
export class Paragraphs {
  readonly #lines: string[] = [];
  #length = 0;
  #between = false;

  /** Adds a line, or several. Ignores a blank one. */
  line(line: string): void {
    if (line.trim() === "") return;
    if (this.#between) this.#lines.push("");
    this.#between = false;
    this.#length += line.length + 2;
    checkTextLength(this.#length);
    this.#lines.push(line);
  }

  /** Ends the current paragraph, if there is one. */
  end(): void {
    this.#between = this.#lines.length > 0;
  }

  toString(): string {
    return this.#lines.join("\n");
  }
}

/** The label of a field, `name: `: on one line, shortened, and without a leading `#`, which would make the line a heading. */
export function labelOf(name: string): string {
  const label = shortTitle(name).replace(/^#+\s+/, "");
  return label === "" ? "" : `${label}: `;
}
