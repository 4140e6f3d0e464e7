// Imported first: PDF.js then starts no worker and reads on the calling thread.
import "pdfjs-dist/legacy/build/pdf.worker.min.mjs";
import { getDocument, type PdfDocument } from "pdfjs-dist/legacy/build/pdf.min.mjs";
import { nextTurn } from "../async.ts";
import { EncoderError } from "../errors.ts";
import { linesOf, type PageLine } from "./pdf-lines.ts";
import { textOfPages } from "./pdf-text.ts";
import type { Reading } from "./reading.ts";

const maxPages = 5000;

/** Maximum ms before the thread yields to other tasks. */
const maxTurn = 50;

/**
 * Extracts the text of a PDF, without OCR. Joins lines to paragraphs, rejoins hyphenated words, detects headings by their font size, and
 * separates pages by blank lines.
 *
 * Fonts and character maps are not fetched: files in Chinese, Japanese or Korean that do not embed their maps yield little or no text.
 *
 * Throws `encrypted_file`, `unreadable_file`, `file_too_large` beyond 5,000 pages, or the signal's reason between pages.
 */
export async function readPdf(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined): Promise<Reading> {
  const loading = getDocument({
    // PDF.js transfers the buffer, which would detach the caller's bytes.
    data: bytes.slice(),
    verbosity: 0,
    // Nothing is rendered or fetched, and the page's policy forbids `eval`.
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
    if (count > maxPages) throw new EncoderError("file_too_large", `has more than ${maxPages} pages`, { limit: maxPages, found: count });
    const pages: PageLine[][] = [];
    let turnBegan = performance.now();
    for (let number = 1; number <= count; number++) {
      pages.push(await readPage(document, number));
      if (performance.now() - turnBegan > maxTurn) {
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

/** PDF.js errors are identified by their names. */
function refuse(error: unknown): never {
  if (error instanceof Error && error.name === "PasswordException") throw new EncoderError("encrypted_file", "is encrypted");
  throw new EncoderError("unreadable_file", "is damaged or not a PDF");
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

/** The title in the metadata; blank if that is a file name or the default of an application. */
async function titleOf(document: PdfDocument): Promise<string> {
  const { info } = await document.getMetadata().catch(() => ({ info: {} as { Title?: unknown } }));
  const title = typeof info.Title === "string" ? info.Title.replaceAll("\0", "").trim() : "";
  const useless = /\.\w{2,4}$|^microsoft \w+ - |^(?:untitled|title|unknown|document)\W*\d*$/i.test(title);
  return useless || !/\p{L}{2}/u.test(title) ? "" : title;
}
