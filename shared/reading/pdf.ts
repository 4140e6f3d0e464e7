// First of all: where this has been loaded, PDF.js starts no worker of its own, but reads on the thread that it is on.
import "pdfjs-dist/legacy/build/pdf.worker.min.mjs";
import { getDocument, type PdfDocument } from "pdfjs-dist/legacy/build/pdf.min.mjs";
import { nextTurn } from "../async.ts";
import { EncoderError } from "../errors.ts";
import { linesOf, type PageLine } from "./pdf-lines.ts";
import { textOfPages } from "./pdf-text.ts";
import type { Reading } from "./reading.ts";

const mostPages = 5000;

/** The thread is left to others after so many ms. */
const longestTurn = 50;

/**
 * The text of a PDF that has some: pictures of pages are not read. Lines are joined to paragraphs, words that were divided
 * at a line's end are put together, and headings are told by their size. Blank lines stand between pages.
 *
 * Fonts and character maps are not fetched: a file in Chinese, Japanese or Korean that relies on the reader's own maps,
 * instead of having its own, gives little text or none.
 *
 * Throws `encrypted_file`, `unreadable_file`, `file_too_large` beyond 5,000 pages, or the signal's reason between pages.
 */
export async function readPdf(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined): Promise<Reading> {
  const loading = getDocument({
    // It would take the caller's bytes away.
    data: bytes.slice(),
    verbosity: 0,
    // Nothing is drawn, nothing is fetched, and the page's policy forbids to make code of text.
    isEvalSupported: false,
    disableFontFace: true,
    useSystemFonts: false,
    useWorkerFetch: false,
    useWasm: false,
    isOffscreenCanvasSupported: false,
    isImageDecoderSupported: false,
  });
  try {
    const document = await loading.promise.catch(refuse);
    const { numPages: count } = document;
    if (count > mostPages) throw new EncoderError("file_too_large", `has more than ${mostPages} pages`, { limit: mostPages, found: count });
    const pages: PageLine[][] = [];
    let turnBegan = performance.now();
    for (let number = 1; number <= count; number++) {
      pages.push(await readPage(document, number));
      if (performance.now() - turnBegan > longestTurn) {
        await nextTurn();
        turnBegan = performance.now();
      }
      signal?.throwIfAborted();
    }
    const { text, heading } = textOfPages(pages);
    return { title: (await titleOf(document)) || heading, text };
  } finally {
    await loading.destroy().catch(() => {});
  }
}

/** PDF.js' errors are known by their names. */
function refuse(error: unknown): never {
  if (error instanceof Error && error.name === "PasswordException") throw new EncoderError("encrypted_file", "is encrypted");
  throw new EncoderError("unreadable_file", "is damaged, or no PDF");
}

async function readPage(document: PdfDocument, number: number): Promise<PageLine[]> {
  try {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    page.cleanup();
    return linesOf(items.filter((item) => "str" in item));
  } catch {
    throw new EncoderError("unreadable_file", `is damaged on page ${number}`);
  }
}

/** What the file says is its title; blank where that is only the name of a file or a program's default. */
async function titleOf(document: PdfDocument): Promise<string> {
  const { info } = await document.getMetadata().catch(() => ({ info: {} as { Title?: unknown } }));
  const title = typeof info.Title === "string" ? info.Title.replaceAll("\0", "").trim() : "";
  const useless = /\.\w{2,4}$|^microsoft \w+ - |^(?:untitled|title|unknown|document)\W*\d*$/i.test(title);
  return useless || !/\p{L}{2}/u.test(title) ? "" : title;
}
