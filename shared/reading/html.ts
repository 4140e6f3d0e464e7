import { Parser } from "htmlparser2";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/** Elements whose content is skipped: invisible content, embedded objects, navigation and form controls. */
const skipped = new Set([
  ...["head", "script", "style", "template", "noscript", "nav", "dialog"],
  ...["svg", "math", "canvas", "audio", "video", "object", "iframe"],
  ...["button", "select", "datalist", "textarea"],
]);

/** Inline elements. Every other element starts and ends a paragraph, or a line: see `lines`. */
const inline = new Set([
  ...["a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "input", "ins"],
  ...["kbd", "label", "mark", "meter", "output", "picture", "progress", "q", "rp", "rt", "ruby", "s", "samp", "slot", "small", "source"],
  ...["span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"],
]);

/** Elements that start a line, but no paragraph. */
const lines = new Set(["br", "li", "thead", "tbody", "tfoot", "tr", "dt", "dd", "option", "summary", "figcaption", "caption"]);
const lists = new Set(["ul", "ol", "menu", "dir"]);
const cells = new Set(["td", "th"]);

/** Maximum depth; browsers stop at 512. It also bounds the time: the parser searches all open elements for an end tag. */
const maxDepth = 1000;

/**
 * Converts a page to text, as rendered without styles: headings in Markdown, a line per list item and table row, blank lines between
 * blocks, code in fences. Skips scripts, form controls and navigation.
 *
 * Throws `unreadable_file` if elements are nested more than 1,000 levels deep, and `binary_file`.
 */
export function readHtml(bytes: Uint8Array): Reading {
  const page = new PageText();
  const parser = new Parser({
    onopentag: (name, attributes) => page.open(name, attributes),
    onclosetag: (name) => page.close(name),
    ontext: (text) => page.text(text),
  });
  parser.end(decodeText(bytes, declaredCharset(bytes)));
  return page.finish();
}

/** The encoding that a page declares in its first KiB, where browsers look for it. */
function declaredCharset(bytes: Uint8Array): string | undefined {
  const beginning = String.fromCharCode(...bytes.subarray(0, 1024));
  return /<meta[^>]*?charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(beginning)?.[1];
}

/** Builds the text from the parser's events. Without recursion, so nesting cannot overflow the stack. */
class PageText {
  readonly #paragraphs = new Paragraphs();
  #title = "";
  #firstHeading = "";
  /** Parts of the current line. Appending to a string would copy it each time. */
  #line: string[] = [];
  /** Prefix of the next line that is not blank: the marker of a heading or list item. */
  #mark = "";
  /** Whether a table cell has started and has no text yet. */
  #cellBegins = false;
  #depth = 0;
  /** Depths of the outermost open element that is skipped, a title, code or the head; infinity if none is open. */
  #skippedFrom = Number.POSITIVE_INFINITY;
  #titleFrom = Number.POSITIVE_INFINITY;
  #codeFrom = Number.POSITIVE_INFINITY;
  #headFrom = Number.POSITIVE_INFINITY;
  /** Number of the last item of each open list; null for unordered lists. */
  readonly #items: (number | null)[] = [];

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#depth += 1;
    if (this.#depth > maxDepth)
      throw new EncoderError("unreadable_file", `is nested more than ${maxDepth} levels deep`, { limit: maxDepth });
    // SVG images contain titles too.
    if (name === "title" && this.#title === "" && this.#skippedFrom >= this.#headFrom) this.#titleFrom = this.#depth;
    if (this.#depth > this.#skippedFrom) return;
    if (skipped.has(name) || "hidden" in attributes || attributes.role === "navigation") {
      this.#skippedFrom = this.#depth;
      if (name === "head") this.#headFrom = this.#depth;
      return;
    }
    if (isInline(name)) return;
    if (this.#depth > this.#codeFrom) {
      if (!this.#line.at(-1)?.endsWith("\n")) this.#line.push("\n");
      return;
    }
    if (cells.has(name)) {
      this.#cellBegins = true;
      return;
    }
    this.#endLine();
    if (!lines.has(name) && !(lists.has(name) && this.#items.length > 0)) this.#paragraphs.end();
    if (name === "pre") this.#codeFrom = this.#depth;
    else if (heading.test(name)) this.#mark = `${"#".repeat(Number(name[1]))} `;
    else if (lists.has(name)) this.#items.push(name === "ol" ? 0 : null);
    else if (name === "li") this.#mark = this.#nextItem();
  }

  close(name: string): void {
    const depth = this.#depth;
    this.#depth -= 1;
    if (depth === this.#titleFrom) this.#titleFrom = Number.POSITIVE_INFINITY;
    if (depth >= this.#skippedFrom) {
      if (depth === this.#headFrom) this.#headFrom = Number.POSITIVE_INFINITY;
      if (depth === this.#skippedFrom) this.#skippedFrom = Number.POSITIVE_INFINITY;
      return;
    }
    if (isInline(name) || cells.has(name) || depth > this.#codeFrom) return;
    if (depth === this.#codeFrom) this.#endCode();
    else this.#endLine();
    if (name === "li" || heading.test(name)) this.#mark = "";
    if (lists.has(name)) this.#items.pop();
    if (!lines.has(name) && this.#items.length === 0) this.#paragraphs.end();
  }

  text(text: string): void {
    if (this.#depth >= this.#titleFrom) this.#title += text;
    if (this.#depth >= this.#skippedFrom) return;
    if (this.#depth >= this.#codeFrom) {
      this.#line.push(text);
      return;
    }
    // Soft hyphens are visible only at the end of a line.
    let words = text.replaceAll("\u00ad", "").replace(/[ \t\n\r\f]+/g, " ");
    if (this.#line.length === 0 || this.#line.at(-1)?.endsWith(" ")) words = words.replace(/^ /, "");
    if (words.trim() !== "" && this.#cellBegins) {
      if (this.#line.length > 0) this.#line.push(" | ");
      this.#cellBegins = false;
    }
    if (words !== "") this.#line.push(words);
  }

  finish(): Reading {
    this.#endLine();
    return { title: this.#title.trim() || this.#firstHeading, text: this.#paragraphs.toString() };
  }

  #nextItem(): string {
    const innermost = this.#items.length - 1;
    const indent = "  ".repeat(Math.min(10, Math.max(0, innermost)));
    const number = this.#items[innermost] ?? null;
    if (number === null) return `${indent}- `;
    this.#items[innermost] = number + 1;
    return `${indent}${number + 1}. `;
  }

  #endLine(): void {
    const line = this.#line.join("").trim();
    this.#line = [];
    this.#cellBegins = false;
    if (line === "") return;
    if (this.#firstHeading === "" && this.#mark.startsWith("#")) this.#firstHeading = line;
    this.#paragraphs.line(this.#mark + line);
    this.#mark = "";
  }

  #endCode(): void {
    this.#codeFrom = Number.POSITIVE_INFINITY;
    const code = this.#line
      .join("")
      .replace(/^\r?\n/, "")
      .trimEnd();
    this.#line = [];
    // Without fences, a comment in the code would become a heading.
    let fence = "```";
    for (const [marks] of code.matchAll(/`{3,}/g)) if (marks.length >= fence.length) fence = `${marks}\``;
    if (code.trim() !== "") this.#paragraphs.line(`${fence}\n${code}\n${fence}`);
  }
}

/** Custom elements, whose names contain a hyphen, are inline without styles. */
const isInline = (name: string) => inline.has(name) || name.includes("-");
const heading = /^h[1-6]$/;
