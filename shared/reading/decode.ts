import { EncoderError } from "../errors.ts";

/** The characters of bytes 0x80 to 0x9f in windows-1252: https://encoding.spec.whatwg.org/index-windows-1252.txt */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

/** Control characters other than white space, which are rare in text. */
const control = /(?!\s)\p{Cc}/gu;

/** A file with a larger share of control characters is binary. */
const maxControls = 0.05;

/** Minimum share of ASCII in a text that is detected as windows-1252. */
const minAscii = 0.7;

/**
 * Decodes a text and removes its byte order mark. The encoding is that of the byte order mark, else `declared`, else UTF-8 if the bytes
 * are valid UTF-8, else windows-1252 if they resemble text.
 *
 * Throws `binary_file` otherwise.
 * @param declared an encoding label of the file itself, as in the Encoding Standard. Unknown labels are ignored.
 */
export function decodeText(bytes: Uint8Array, declared?: string): string {
  const text = decodeMarked(bytes) ?? (declared ? decodeAs(declared, bytes) : null) ?? decodeAs("utf-8", bytes) ?? decodeWindows1252(bytes);
  if (text === null || isBinary(text)) throw new EncoderError("binary_file", "is not text in UTF-8, UTF-16 or windows-1252");
  return text;
}

/** Null without a byte order mark, or with a wrong one. Ill-formed UTF-16 is replaced by U+FFFD, as in a browser. */
function decodeMarked(bytes: Uint8Array): string | null {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return decodeAs("utf-8", bytes);
  const little = first === 0xff && second === 0xfe;
  const big = first === 0xfe && second === 0xff;
  if (!(little || big)) return null;
  if (bytes.length % 2 === 1) throw new EncoderError("binary_file", "is not UTF-16 text, although its byte order mark says so");
  return new TextDecoder(little ? "utf-16le" : "utf-16be").decode(bytes);
}

/** Null if the bytes are invalid in this encoding, or the label is unknown. */
function decodeAs(label: string, bytes: Uint8Array): string | null {
  try {
    const decoder = new TextDecoder(label, { fatal: true });
    // A declaration that is readable as ASCII cannot be in UTF-16.
    if (decoder.encoding.startsWith("utf-16")) return decodeAs("utf-8", bytes);
    const text = decoder.decode(bytes);
    return decoder.encoding === "windows-1252" ? fixWindows1252(text) : text;
  } catch {
    return null;
  }
}

function decodeWindows1252(bytes: Uint8Array): string | null {
  const text = decodeAs("windows-1252", bytes);
  // Undefined bytes of windows-1252 decode to control characters.
  if (text === null || countOf(control, text) > 0) return null;
  const ascii = bytes.reduce((count, byte) => (byte < 0x80 ? count + 1 : count), 0);
  return ascii >= minAscii * bytes.length ? text : null;
}

/** Node 20 decodes windows-1252 as if it were ISO-8859-1: https://github.com/nodejs/node/issues/56542. */
function fixWindows1252(text: string): string {
  return text.replace(/[\x80-\x9f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80] ?? character);
}

const isBinary = (text: string) => text.includes("\0") || countOf(control, text) > maxControls * text.length;

function countOf(pattern: RegExp, text: string): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count += 1;
  return count;
}
