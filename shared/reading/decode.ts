import { EncoderError } from "../errors.ts";

/** What the bytes 0x80 to 0x9f are in windows-1252: https://encoding.spec.whatwg.org/index-windows-1252.txt */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** A character that controls a device: hardly any text has them, but for those of white space. */
const control = /(?!\s)\p{Cc}/gu;

/** So many of them for each character make a file binary. */
const mostControls = 0.05;

/** Of a text in windows-1252 at least so much is ASCII's letters, digits, marks and spaces. */
const leastAscii = 0.7;

/**
 * The text that bytes are: by its byte order mark UTF-8 or UTF-16, else the encoding that the file itself `declared`, else
 * UTF-8 when it is that, else windows-1252 when it looks like it. Without the byte order mark.
 *
 * Throws `binary_file` when it is none of these.
 * @param declared a label of the Encoding Standard; one that is unknown counts for nothing
 */
export function decodeText(bytes: Uint8Array, declared?: string): string {
  const text = decodeMarked(bytes) ?? (declared ? decodeAs(declared, bytes) : null) ?? decodeAs("utf-8", bytes) ?? decodeWindows1252(bytes);
  if (text === null || isBinary(text)) throw new EncoderError("binary_file", "is not text in UTF-8, UTF-16 or windows-1252");
  return text;
}

/** Null without a byte order mark. What is ill-formed in UTF-16 becomes U+FFFD, as it does in a browser. */
function decodeMarked(bytes: Uint8Array): string | null {
  const [first, second] = bytes;
  const little = first === 0xff && second === 0xfe;
  const big = first === 0xfe && second === 0xff;
  if (!(little || big)) return null;
  if (bytes.length % 2 === 1) throw new EncoderError("binary_file", "is not text in UTF-16, as its first bytes say");
  return new TextDecoder(little ? "utf-16le" : "utf-16be").decode(bytes);
}

/** Null when the bytes are not of that encoding, or there is none of that name. */
function decodeAs(label: string, bytes: Uint8Array): string | null {
  try {
    const decoder = new TextDecoder(label, { fatal: true });
    // Whoever could declare something in ASCII did not do it in UTF-16.
    if (decoder.encoding.startsWith("utf-16")) return decodeAs("utf-8", bytes);
    const text = decoder.decode(bytes);
    return decoder.encoding === "windows-1252" ? mendWindows1252(text) : text;
  } catch {
    return null;
  }
}

function decodeWindows1252(bytes: Uint8Array): string | null {
  const text = decodeAs("windows-1252", bytes);
  // Bytes that stand for nothing in it come out as controls.
  if (text === null || countOf(control, text) > 0) return null;
  const ascii = bytes.reduce((count, byte) => (byte < 0x80 ? count + 1 : count), 0);
  return ascii >= leastAscii * bytes.length ? text : null;
}

/** Node 20 decodes windows-1252 as if it were ISO-8859-1: https://github.com/nodejs/node/issues/56542. */
function mendWindows1252(text: string): string {
  return text.replace(/[\x80-\x9f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80] ?? character);
}

const isBinary = (text: string) => text.includes("\0") || countOf(control, text) > mostControls * text.length;

function countOf(pattern: RegExp, text: string): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count += 1;
  return count;
}
