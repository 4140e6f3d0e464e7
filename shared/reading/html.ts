import { Parser } from "htmlparser2";
import { EncoderError } from "../errors.ts";
import { decodeText } from "./decode.ts";
import { Paragraphs } from "./paragraphs.ts";
import type { Reading } from "./reading.ts";

/** Elements whose content is no part of the text: it is not shown, or leads elsewhere, or waits to be filled in. */
const passedOver = new Set([
  ...["head", "script", "style", "template", "noscript", "nav", "dialog"],
  ...["svg", "math", "canvas", "audio", "video", "object", "iframe"],
  ...["button", "select", "datalist", "textarea"],
]);

/** Elements that stand within a line. Every other one ends the paragraph before it, and its own. */
const withinLines = new Set([
  ...["a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "input", "ins"],
  ...["kbd", "label", "mark", "meter", "output", "picture", "progress", "q", "rp", "rt", "ruby", "s", "samp", "slot", "small", "source"],
  ...["span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"],
]);

/** Elements that begin a line, but no paragraph. */
const lines = new Set(["br", "li", "thead", "tbody", "tfoot", "tr", "dt", "dd", "option", "summary", "figcaption", "caption"]);
const lists = new Set(["ul", "ol", "menu", "dir"]);
const cells = new Set(["td", "th"]);

/** Browsers stop at 512. It bounds the time, too: for an end tag the parser looks through all that is open. */
const deepest = 1000;

/**
 * A page's text as it is shown without styles: headings marked as Markdown's, a line for each item of a list and each row of
 * a table, blank lines between blocks, code as it stands within fences. Scripts, forms' fields and navigation are left out.
 *
 * Throws `unreadable_file` when elements are nested more than 1,000 deep.
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

/** The encoding that a page says it is in, in its first KiB, as browsers look for it. */
function declaredCharset(bytes: Uint8Array): string | undefined {
  const beginning = String.fromCharCode(...bytes.subarray(0, 1024));
  return /<meta[^>]*?charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(beginning)?.[1];
}

/** Takes the elements of a page as they open and close, one after the other: however deep they are, nothing calls itself. */
class PageText {
  readonly #paragraphs = new Paragraphs();
  #title = "";
  #firstHeading = "";
  /** The pieces of the line that has begun: as one string it would be copied again and again. */
  #line: string[] = [];
  /** What stands before the line, if there will be one: the sign of a heading or of a list's item. */
  #mark = "";
  /** A cell of a table has begun, without text so far. */
  #cellBegins = false;
  #depth = 0;
  /** The depth of the outermost element that is passed over, and so on; infinity where none is open. */
  #passedFrom = Number.POSITIVE_INFINITY;
  #titleFrom = Number.POSITIVE_INFINITY;
  #codeFrom = Number.POSITIVE_INFINITY;
  #headFrom = Number.POSITIVE_INFINITY;
  /** The numbers of the latest items of the lists that are open; null where items have none. */
  readonly #items: (number | null)[] = [];

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#depth += 1;
    if (this.#depth > deepest) throw new EncoderError("unreadable_file", `is nested more than ${deepest} deep`, { limit: deepest });
    // Pictures have titles of their own.
    if (name === "title" && this.#title === "" && this.#passedFrom >= this.#headFrom) this.#titleFrom = this.#depth;
    if (this.#depth > this.#passedFrom) return;
    if (passedOver.has(name) || "hidden" in attributes || attributes.role === "navigation") {
      this.#passedFrom = this.#depth;
      if (name === "head") this.#headFrom = this.#depth;
      return;
    }
    if (isWithinLine(name)) return;
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
    if (depth >= this.#passedFrom) {
      if (depth === this.#headFrom) this.#headFrom = Number.POSITIVE_INFINITY;
      if (depth === this.#passedFrom) this.#passedFrom = Number.POSITIVE_INFINITY;
      return;
    }
    if (isWithinLine(name) || cells.has(name) || depth > this.#codeFrom) return;
    if (depth === this.#codeFrom) this.#endCode();
    else this.#endLine();
    if (name === "li" || heading.test(name)) this.#mark = "";
    if (lists.has(name)) this.#items.pop();
    if (!lines.has(name) && this.#items.length === 0) this.#paragraphs.end();
  }

  text(text: string): void {
    if (this.#depth >= this.#titleFrom) this.#title += text;
    if (this.#depth >= this.#passedFrom) return;
    if (this.#depth >= this.#codeFrom) {
      this.#line.push(text);
      return;
    }
    // Soft hyphens are seen at the end of a line only.
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
    // Without fences a comment in it would be taken for a heading.
    let fence = "```";
    for (const [marks] of code.matchAll(/`{3,}/g)) if (marks.length >= fence.length) fence = `${marks}\``;
    if (code.trim() !== "") this.#paragraphs.line(`${fence}\n${code}\n${fence}`);
  }
}

/** Elements that have a hyphen in their names are the page's own: without styles they stand within lines. */
const isWithinLine = (name: string) => withinLines.has(name) || name.includes("-");
const heading = /^h[1-6]$/;
