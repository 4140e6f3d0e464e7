import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { checkDigest, type Manifest } from "../../shared/encoder/manifest.ts";
import { onnxSession } from "../../shared/encoder/onnx-session.ts";
import type { Session, TokenIds } from "../../shared/encoder/session.ts";
import { EncoderError } from "../../shared/errors.ts";

/** The package, which need not be installed. */
export type NativeRuntime = typeof import("onnxruntime-node");

/** A turn of a worker is no longer than one text of 512 tokens, so that no interactive text waits longer for it. */
const turnLimits = { texts: 32, tokens: 512 } as const;

/**
 * Texts of one length share a run of the graph, which reads the weights once for all: eight of 24 tokens take two thirds of the time that
 * they take one by one. Beyond 64 tokens nothing is gained.
 */
const sharedRun = { texts: 8, tokens: 256 } as const;

/** Rejects with the reason where it is not installed, or has no library for this platform. */
export function importNativeRuntime(): Promise<NativeRuntime> {
  return import("onnxruntime-node");
}

/**
 * Opens cpu.onnx on ONNX Runtime's native library, on one thread of the CPU: parallelism is more workers, because the threads of one
 * session wait for each other and starve when the host is busy.
 * @param directory where the model's files are
 * @param exactProducts compute int8 products without the saturation of x86 processors that lack VNNI, at up to 1.75 times the time:
 *   ONNX Runtime's `session.x64quantprecision`
 */
export async function openNativeSession(
  { InferenceSession, Tensor }: NativeRuntime,
  manifest: Manifest,
  directory: string,
  exactProducts: boolean,
): Promise<Session> {
  const { file, inputs } = manifest.devices.native;
  // The runtime reads graph and weights by their paths, which takes less memory than handing it the bytes.
  for (const name of [file, ...manifest.weights]) await checkFile(manifest, name, join(directory, name));
  const runtime: InferenceSession = await InferenceSession.create(join(directory, file), {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // Texts differ in length: memory patterns would keep one plan for each length seen.
    enableMemPattern: false,
    extra: { session: { x64quantprecision: exactProducts ? "1" : "0" } },
  });
  const session = onnxSession({ runtime, Tensor, inputs, device: "native", batch: turnLimits });
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

/** The texts, by index, that share a run of the graph: without padding, they must have one length. */
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

/** As `checkIntegrity`, read piece by piece: weights in memory only to be checked are 35 MB more at the peak, in each worker. */
async function checkFile(manifest: Manifest, name: string, path: string): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  checkDigest(manifest, name, { bytes, sha256: hash.digest("hex") });
}
