// The small build of zod: a page loads this file.
import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import type { Device } from "./session.ts";

const positive = z.int().check(z.positive());
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const graph = z.object({
  file: z.string(),
  /** Names of the input tensors that the graph takes, each int64 of [batch, tokens]. */
  inputs: z.array(z.string()),
});

/** A text whose vectors are known, for the self-test after load: base64 of little-endian float32, L2-normalized. */
const selfTestText = z.object({
  inputType: z.enum(["passage", "query"]),
  text: z.string(),
  /** The engine's, to the bit. */
  wasm: z.base64(),
  /** cpu.onnx's, by exact int8 arithmetic. Not of texts that only prove a GPU. */
  native: z.optional(z.base64()),
  /** gpu.onnx's. */
  webgpu: z.base64(),
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
  architecture: z.object({ layers: positive, hidden: positive, heads: positive, intermediate: positive, vocabulary: positive }),
  /** What each device reads beside the weights: the engine's parameters, or a graph. */
  devices: z.object({ wasm: z.object({ file: z.string() }), native: graph, webgpu: graph }),
  /** Shards of int8 weights, the same for all devices. */
  weights: z.array(z.string()),
  tokenizer: z.object({ model: z.string(), config: z.string() }),
  files: z.record(z.string(), z.object({ bytes: positive, sha256 })),
  selfTest: z.object({
    minCosine: z.object({ native: z.number(), webgpu: z.number() }),
    texts: z.array(selfTestText).check(z.minLength(1)),
  }),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** Of a file: its size in bytes, and its SHA-256 in lower-case hex. */
export type FileDigest = Manifest["files"][string];

/** Reads a manifest. Throws `load_failed` when it is not one. */
export function parseManifest(json: unknown): Manifest {
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw new EncoderError("load_failed", `The model's manifest is not valid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The files that a device needs, in the order in which they are best fetched: small first. */
export function filesOf({ tokenizer, devices, weights }: Manifest, device: Device): string[] {
  return [tokenizer.config, devices[device].file, tokenizer.model, ...weights];
}

/**
 * SHA-256 over everything that decides a vector: all files by their hashes, architecture, token limit, pooling, prompts, and the
 * vectors of the self-test, which change with the engine's arithmetic. One fingerprint for all devices. `models/build` computes the same.
 */
export async function fingerprintOf(manifest: Manifest): Promise<string> {
  const { architecture, tokenizer, devices, weights, files, maxTokens, pooling, prompts, selfTest } = manifest;
  const names = [...weights, ...Object.values(devices).map(({ file }) => file), tokenizer.model, tokenizer.config];
  const decisive = {
    architecture: sortedByKey(architecture),
    files: sortedByKey(Object.fromEntries(names.map((name) => [name, files[name]?.sha256]))),
    maxTokens,
    pooling,
    prompts: sortedByKey(prompts),
    selfTest: selfTest.texts.map(({ wasm }) => wasm),
  };
  return sha256Hex(new TextEncoder().encode(JSON.stringify(decisive)));
}

function sortedByKey(object: object): object {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
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
