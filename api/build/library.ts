/**
 * Build step: embeds the page's built-in documents and example queries and writes them to `dist/library`, which the page's bundler reads.
 * It runs in every build, so that the vectors match the shipped model. The page verifies the fingerprint.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { type LibraryHeader, packVectors, textsOf } from "../../shared/search/library.ts";
import { createEncoder } from "../node/encoder.ts";

const source = new URL("../../../web/library/documents.json", import.meta.url);
const target = new URL("../../library/", import.meta.url);

const sourceSchema = z.object({
  documents: z.array(z.strictObject({ id: z.string(), title: z.string(), kind: z.string(), text: z.string() })).min(1),
  examples: z.array(z.strictObject({ query: z.string(), answer: z.string() })),
});

const { documents, examples } = sourceSchema.parse(JSON.parse(await readFile(source, "utf8")));
const texts = textsOf({ documents, examples });

// The WebAssembly engine computes the same bits on every machine and in the page.
const encoder = createEncoder({ device: "wasm" });
const { fingerprint, dimensions, relevance = null } = await encoder.load();
const passages = await encoder.embed(texts.passages, { truncate: false });
const queries = await encoder.embed(texts.queries, { inputType: "query", truncate: false });
await encoder.dispose();

const header: LibraryHeader = { fingerprint, relevance, dimensions, documents, examples };
await mkdir(target, { recursive: true });
await writeFile(new URL("library.json", target), JSON.stringify(header));
await writeFile(new URL("vectors.bin", target), packVectors([...passages.vectors, ...queries.vectors]));
