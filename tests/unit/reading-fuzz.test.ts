import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncoderError, type ErrorCode } from "../../shared/errors.ts";
import { type FileKind, readFile } from "../../shared/reading/read-file.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/reading/${name}`, import.meta.url));

/** Of each kind a file as it should be. */
const samples: { readonly [kind in FileKind]: Buffer } = {
  txt: fixture("utf-16.txt"),
  md: Buffer.from("---\ntitle: Tides\n---\n\n# The sea\n\n```\n# code\n```\n"),
  html: fixture("bread.html"),
  pdf: fixture("bees.pdf"),
  csv: fixture("instruments.csv"),
  json: fixture("walks.json"),
  jsonl: fixture("letters.jsonl"),
};

const codes: readonly ErrorCode[] = ["empty_input", "binary_file", "unreadable_file", "encrypted_file", "file_too_large"];

/** Gives a text, or says in words of its own why there is none. */
async function isReadOrRefused(kind: FileKind, bytes: Uint8Array): Promise<void> {
  const read = await readFile(`a.${kind}`, Uint8Array.from(bytes)).catch((error: unknown) => {
    if (!(error instanceof EncoderError)) throw error;
    expect(codes).toContain(error.code);
    expect(error.message).toMatch(/^(is|has|contains) [\w ,.-]+$/);
    return null;
  });
  if (read === null) return;
  expect(read.text.isWellFormed() && read.title.isWellFormed()).toBe(true);
  expect(read.text.trim()).not.toBe("");
  expect(read.title.trim()).not.toBe("");
  expect(read.title.length).toBeLessThan(84);
  expect(read.kind).toBe(kind);
}

/** The pieces of which each kind is made, in any order. */
const pieces: { readonly [kind in FileKind]?: readonly string[] } = {
  html: [
    "<p>",
    "</p>",
    "<li>",
    "<ul>",
    "</ul>",
    "<table><tr>",
    "<td>",
    "<pre>",
    "</pre>",
    "<h2>",
    "<nav>",
    "</nav>",
    "<title>",
    "<svg>",
    "&amp;",
    "<!--",
    "]]>",
    "one ",
    "<br>",
  ],
  csv: ['"', '""', ",", "\n", "\r\n", ";", "\t", "one", " "],
  json: ["{", "}", "[", "]", ",", ":", '"a"', '"\\ud800"', "1", "null", "1e999", '"__proto__"'],
};

describe.each(Object.keys(samples) as FileKind[])("fuzzing of %s files", { timeout: 60_000 }, (kind) => {
  const runs = kind === "pdf" ? 60 : 300;

  test("arbitrary bytes are read or rejected as unreadable", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => isReadOrRefused(kind, bytes)),
      { numRuns: runs },
    );
  });

  test("a truncated or altered file is read or rejected as unreadable", async () => {
    const sample = samples[kind];
    const place = fc.nat({ max: sample.length - 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.nat({ max: 255 })), { maxLength: 20 }), fc.option(place), (changes, end) => {
        const bytes = Uint8Array.from(sample);
        for (const [at, byte] of changes) bytes[at] = byte;
        return isReadOrRefused(kind, bytes.subarray(0, end ?? bytes.length));
      }),
      { numRuns: runs },
    );
  });

  const parts = pieces[kind];
  test.runIf(parts)("a file of random syntax elements is read or rejected as unreadable", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom(...(parts ?? [])), fc.string({ unit: "binary", maxLength: 5 }))), (some) =>
        isReadOrRefused(kind, new TextEncoder().encode(some.join(""))),
      ),
      { numRuns: runs },
    );
  });
});
