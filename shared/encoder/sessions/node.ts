import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { bundledModel } from "../bundled.ts";
import type { OpenModel } from "../encoder.ts";
import { checkDigest, type Manifest, parseManifest } from "../manifest.ts";
import { equalLengthsPerRun } from "../session.ts";
import { onnxSession } from "./onnx.ts";

/**
 * Opens a bundled model in Node, on one thread of the CPU: parallelism is more workers, because the threads of one
 * session wait for each other and starve when the host is busy.
 * @param directory where the model's manifest and files are
 */
export function openNodeModel(directory: string): OpenModel {
  const read = async (name: string) => new Uint8Array(await readFile(join(directory, name)));

  return async (options) => {
    const manifest = parseManifest(JSON.parse(await readFile(join(directory, "manifest.json"), "utf8")));
    const open = bundledModel({
      manifest,
      load: read,
      graph: "cpu",
      exactProductsMayHelp: process.arch === "x64",
      async createSession({ graph, exactProducts }) {
        // The runtime reads graph and weights by their paths, which takes less memory than handing it the bytes.
        for (const name of [graph.file, ...manifest.weights]) await checkFile(manifest, name, join(directory, name));
        const runtime = await InferenceSession.create(join(directory, graph.file), {
          executionProviders: ["cpu"],
          intraOpNumThreads: 1,
          interOpNumThreads: 1,
          executionMode: "sequential",
          // Texts differ in length: memory patterns would keep one plan for each length seen.
          enableMemPattern: false,
          extra: { session: { x64quantprecision: exactProducts ? "1" : "0" } },
        });
        return onnxSession({ runtime, Tensor, inputs: graph.inputs, device: "node", batch: equalLengthsPerRun });
      },
    });
    return open(options);
  };
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
