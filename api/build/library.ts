/**
 * A step of the build: embeds the page's built-in documents and example queries with the model that the page will
 * load, and writes them to `dist/library`, from where the page's bundler takes them. It runs at every build, so that the
 * vectors belong to the model; the page checks that by the fingerprint.
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

// The engine: the same bits as in the page, on whatever machine the site is built.
const encoder = createEncoder({ device: "wasm" });
const { fingerprint, dimensions } = await encoder.load();
const passages = await encoder.embed(texts.passages, { truncate: false });
const queries = await encoder.embed(texts.queries, { inputType: "query", truncate: false });
await encoder.dispose();

const header: LibraryHeader = { fingerprint, dimensions, documents, examples };
await mkdir(target, { recursive: true });
await writeFile(new URL("library.json", target), JSON.stringify(header));
await writeFile(new URL("vectors.bin", target), packVectors([...passages.vectors, ...queries.vectors]));
