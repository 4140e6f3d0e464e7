// zod/mini, since pages load this file.
import * as z from "zod/mini";
import { EncoderError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import type { Device } from "./session.ts";

const positive = z.int().check(z.positive());
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const graph = z.object({
  file: z.string(),
  /** Names of the input tensors, each int64 [batch, tokens]. */
  inputs: z.array(z.string()),
});

/** A text of the self-test with its expected vectors: L2-normalized little-endian float32 in base64. */
const selfTestText = z.object({
  inputType: z.enum(["passage", "query"]),
  text: z.string(),
  /** Vector of the engine, exact to the bit. */
  wasm: z.base64(),
  /** Vector of cpu.onnx in exact int8 arithmetic. Absent for the text that only tests GPUs. */
  native: z.optional(z.base64()),
  /** Vector of gpu.onnx. */
  webgpu: z.base64(),
});

/** `models/<id>/manifest.json`: the description of a bundled model. */
const manifestSchema = z.object({
  id: z.string(),
  source: z.string(),
  language: z.string(),
  fingerprint: sha256,
  dimensions: positive,
  maxTokens: positive,
  pooling: z.enum(["cls", "mean"]),
  prompts: z.object({ query: z.string(), passage: z.string() }),
  /** How a cosine maps to a relevance: see index/relevance.ts. */
  relevance: z.object({ center: z.number(), slope: z.number().check(z.positive()), background: z.number() }),
  architecture: z.object({ layers: positive, hidden: positive, heads: positive, intermediate: positive, vocabulary: positive }),
  /** The file of each device besides the weights: the engine's parameters, or a graph. */
  devices: z.object({ wasm: z.object({ file: z.string() }), native: graph, webgpu: graph }),
  /** Shards of int8 weights, shared by all devices. */
  weights: z.array(z.string()),
  tokenizer: z.object({ model: z.string(), config: z.string() }),
  files: z.record(z.string(), z.object({ bytes: positive, sha256 })),
  selfTest: z.object({
    minCosine: z.object({ native: z.number(), webgpu: z.number() }),
    texts: z.array(selfTestText).check(z.minLength(1)),
  }),
});

/** A valid manifest: see {@link parseManifest}. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Size in bytes and SHA-256 in lower-case hex of a file. */
export type FileDigest = Manifest["files"][string];

/** Parses a manifest. Throws `load_failed` if it is not valid. */
export function parseManifest(json: unknown): Manifest {
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw new EncoderError("load_failed", `The model's manifest is not valid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Names of the files that a device needs, in fetch order: small files first. */
export function filesOf({ tokenizer, devices, weights }: Manifest, device: Device): string[] {
  return [tokenizer.config, devices[device].file, tokenizer.model, ...weights];
}

/**
 * SHA-256 of everything that determines a vector: the hashes of all files, architecture, token limit, pooling, prompts, and the engine's
 * self-test vectors, which change with its arithmetic. All devices share the fingerprint. `models/build` computes the same value.
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
 * Verifies a file by the manifest. Rejects with `integrity_failed`: the message names the file and the difference.
 */
export async function checkIntegrity(manifest: Manifest, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  checkDigest(manifest, name, { bytes: bytes.byteLength, sha256: await sha256Hex(bytes) });
}

/** Verifies a file whose digest is known. Throws `integrity_failed`. */
export function checkDigest(manifest: Manifest, name: string, found: FileDigest): void {
  const expected = manifest.files[name];
  if (!expected) throw new EncoderError("integrity_failed", `${name} is not a file of the model ${manifest.id}`);
  compareDigests(name, expected, found);
}

/** Throws `integrity_failed` if size or SHA-256 differ. */
export function compareDigests(name: string, expected: FileDigest, found: FileDigest): void {
  if (found.bytes !== expected.bytes) {
    throw new EncoderError(
      "integrity_failed",
      `${name} has ${found.bytes} bytes, not ${expected.bytes}: it is incomplete or a different file`,
      {
        limit: expected.bytes,
        found: found.bytes,
      },
    );
  }
  if (found.sha256 !== expected.sha256) {
    throw new EncoderError("integrity_failed", `The SHA-256 of ${name} differs from the manifest`);
  }
}
