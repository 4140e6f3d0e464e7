import type { PeerModel } from "./contenders/contender.ts";
import { type Collection, cranfieldAbstracts, cranfieldQueries } from "./cranfield.ts";
import { allDevices } from "./devices/all.ts";
import type { DeviceId } from "./devices/device.ts";
import { describeEnvironment, tokenCounter } from "./environment.ts";
import { goldenRows } from "./golden.ts";
import type { QualityResult, VectorsResult } from "./matrix-results.ts";
import { PageServer } from "./page-server.ts";
import { measureQuality } from "./quality.ts";
import { compareVectors } from "./vectors.ts";

export interface AcrossDevicesOptions {
  /** How a reader starts the same. */
  readonly command: string;
  /** The published float32 graph: `onnx/model.onnx` of a folder. */
  readonly peer: PeerModel;
  /** Which devices are measured. Default: all. */
  readonly devices?: readonly DeviceId[] | undefined;
  readonly onProgress: (line: string) => void;
}

const packages = ["onnxruntime-node", "onnxruntime-web", "wrangler"];

/** What is the same wherever the encoder runs: once is enough, the same figures come out each time. */
export function acrossDevices({ command, peer, devices: asked, onProgress }: AcrossDevicesOptions) {
  return {
    /** @param abstracts how many of Cranfield's are compared, beside the golden texts */
    async vectors(abstracts: number): Promise<VectorsResult> {
      const environment = await describeEnvironment(command, packages);
      const countTokens = await tokenCounter();
      const texts = (await cranfieldAbstracts()).slice(0, abstracts);
      const golden = (await goldenRows()).map(({ vector, ...row }) => ({ ...row, published: vector }));
      const sets = [
        { name: "golden texts", texts: golden },
        { name: "abstracts", texts: texts.map((text) => ({ inputType: "passage" as const, text, tokens: countTokens([text]) })) },
      ];
      await using server = await PageServer.start(peer);
      const noise = await cranfieldQueries();
      return { environment, ...(await compareVectors({ devices: allDevices(server, peer, asked), sets, noise, onProgress })) };
    },

    async quality(collection: Collection): Promise<QualityResult> {
      const environment = await describeEnvironment(command, packages);
      await using server = await PageServer.start(peer);
      return { environment, ...(await measureQuality({ collection, devices: allDevices(server, peer, asked), onProgress })) };
    },
  };
}
