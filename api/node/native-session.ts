import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { checkDigest, type Manifest } from "../../shared/encoder/manifest.ts";
import { onnxSession } from "../../shared/encoder/onnx-session.ts";
import type { Session, TokenIds } from "../../shared/encoder/session.ts";
import { EncoderError } from "../../shared/errors.ts";

/** The optional package onnxruntime-node. */
export type NativeRuntime = typeof import("onnxruntime-node");

/** Limits of a batch. A batch takes no longer than one text of 512 tokens, which bounds the wait of an interactive text. */
const batchLimits = { texts: 32, tokens: 512 } as const;

/**
 * Limits of texts that share a run of the graph, which reads the weights once for all. Eight texts of 24 tokens take two thirds of the time
 * of separate runs. Texts of more than 64 tokens gain nothing.
 */
const sharedRun = { texts: 8, tokens: 256 } as const;

/** Imports onnxruntime-node. Rejects if it is not installed or does not support this platform. */
export function importNativeRuntime(): Promise<NativeRuntime> {
  return import("onnxruntime-node");
}

/**
 * Opens cpu.onnx in ONNX Runtime's native library on one thread. Parallelism comes from more workers, because threads of one session
 * wait for each other and slow down on a busy host. Rejects with `integrity_failed` when a file does not match its checksum.
 * @param directory folder of the model's files
 * @param exactProducts avoid the int8 saturation of x86 processors without VNNI, in up to 1.75 times the time (ONNX Runtime's
 *   `session.x64quantprecision`)
 */
export async function openNativeSession(
  { InferenceSession, Tensor }: NativeRuntime,
  manifest: Manifest,
  directory: string,
  exactProducts: boolean,
): Promise<Session> {
  const { file, inputs } = manifest.devices.native;
  // The runtime loads graph and weights by path, which takes less memory than passing their bytes.
  for (const name of [file, ...manifest.weights]) await checkFile(manifest, name, join(directory, name));
  const runtime: InferenceSession = await InferenceSession.create(join(directory, file), {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // Texts differ in length: memory patterns would store a plan for each length.
    enableMemPattern: false,
    extra: { session: { x64quantprecision: exactProducts ? "1" : "0" } },
  });
  const session = onnxSession({ runtime, Tensor, inputs, device: "native", batch: batchLimits });
  return {
    ...session,
    async run(texts) {
      const vectors = new Array<Float32Array<ArrayBuffer>>(texts.length);
      for (const group of groupsOfOneLength(texts)) {
        const pooled = await session.run(group.map((index) => texts[index] ?? []));
        for (const [place, index] of group.entries()) {
          const vector = pooled[place];
          if (!vector) throw new EncoderError("inference_failed", "The graph returned fewer vectors than texts");
          vectors[index] = vector;
        }
      }
      return vectors;
    },
  };
}

/** Groups the indexes of texts that share a run. Texts of a run have the same length, because there is no padding. */
function groupsOfOneLength(texts: readonly TokenIds[]): number[][] {
  const groups: number[][] = [];
  const open = new Map<number, number[]>();
  for (const [index, { length }] of texts.entries()) {
    const group = open.get(length);
    if (group && group.length < sharedRun.texts && (group.length + 1) * length <= sharedRun.tokens) {
      group.push(index);
      continue;
    }
    const next = [index];
    groups.push(next);
    open.set(length, next);
  }
  return groups;
}

/** Like `checkIntegrity`, but streams the file: reading the weights into memory would add 35 MB to each worker's peak. */
async function checkFile(manifest: Manifest, name: string, path: string): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  checkDigest(manifest, name, { bytes, sha256: hash.digest("hex") });
}
