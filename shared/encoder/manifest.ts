// The small build of zod: a page loads this file.
import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";

const positive = z.int().check(z.positive());
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const graph = z.object({
  file: z.string(),
  /** Names of the input tensors that the graph takes, each int64 of [batch, tokens]. */
  inputs: z.array(z.string()),
});

/** A text whose vector is known, for the self-test after load. */
const selfTestText = z.object({
  kind: z.enum(["passage", "query"]),
  text: z.string(),
  /** base64 of little-endian float32, L2-normalized: the exact int8 arithmetic of the cpu graph. Not of texts that only prove a GPU. */
  cpu: z.optional(z.base64()),
  /** The same for the gpu graph's float32 arithmetic. */
  gpu: z.base64(),
});

/** `models/<id>/manifest.json`: what a bundled model is. */
const manifestSchema = z.object({
  id: z.string(),
  source: z.string(),
  language: z.string(),
  fingerprint: sha256,
  dimensions: positive,
  maxTokens: positive,
  pooling: z.enum(["cls", "mean"]),
  prompts: z.object({ query: z.string(), passage: z.string() }),
  graphs: z.object({ cpu: graph, gpu: graph }),
  weights: z.array(z.string()),
  tokenizer: z.object({ model: z.string(), config: z.string() }),
  files: z.record(z.string(), z.object({ bytes: positive, sha256 })),
  selfTest: z.object({
    minCosine: z.object({ cpu: z.number(), gpu: z.number() }),
    texts: z.array(selfTestText).check(z.minLength(1)),
  }),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** Of a file: its size in bytes, and its SHA-256 in lower-case hex. */
export type FileDigest = Manifest["files"][string];

/** The two graphs over one set of weights: int8 arithmetic for CPUs, float32 for WebGPU. */
export type GraphName = keyof Manifest["graphs"];

/** Reads a manifest. Throws `load_failed` when it is not one. */
export function parseManifest(json: unknown): Manifest {
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw new EncoderError("load_failed", `The model's manifest is not valid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The files that a device needs, in the order in which they are best fetched: small first. */
export function filesOf(manifest: Manifest, graphName: GraphName): string[] {
  const { tokenizer, graphs, weights } = manifest;
  return [tokenizer.config, tokenizer.model, graphs[graphName].file, ...weights];
}

/**
 * SHA-256 over everything that decides a vector: weights, both graphs and tokenizer by their hashes, token limit,
 * pooling and prompts. One fingerprint for all devices. `models/build` computes the same.
 */
export async function fingerprintOf(manifest: Manifest): Promise<string> {
  const { tokenizer, graphs, weights, files, maxTokens, pooling, prompts } = manifest;
  const names = [...weights, graphs.cpu.file, graphs.gpu.file, tokenizer.model, tokenizer.config];
  const hashes = Object.fromEntries(names.sort().map((name) => [name, files[name]?.sha256]));
  const decisive = { files: hashes, maxTokens, pooling, prompts: { passage: prompts.passage, query: prompts.query } };
  return sha256Hex(new TextEncoder().encode(JSON.stringify(decisive)));
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Refuses a file that is not the one that the manifest names.
 * Throws `integrity_failed`, with the file's name and what differs.
 */
export async function checkIntegrity(manifest: Manifest, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  checkDigest(manifest, name, { bytes: bytes.byteLength, sha256: await sha256Hex(bytes) });
}

/** The same, for who has read the file already. */
export function checkDigest(manifest: Manifest, name: string, found: FileDigest): void {
  const expected = manifest.files[name];
  if (!expected) throw new EncoderError("integrity_failed", `${name} is not a file of the model ${manifest.id}`);
  compareDigests(name, expected, found);
}

/** Throws `integrity_failed`, with what differs. */
export function compareDigests(name: string, expected: FileDigest, found: FileDigest): void {
  if (found.bytes !== expected.bytes) {
    throw new EncoderError(
      "integrity_failed",
      `${name} has ${found.bytes} bytes, not ${expected.bytes}: it is incomplete or another file`,
      {
        limit: expected.bytes,
        found: found.bytes,
      },
    );
  }
  if (found.sha256 !== expected.sha256) {
    throw new EncoderError("integrity_failed", `${name} does not have the SHA-256 that the manifest names`);
  }
}
