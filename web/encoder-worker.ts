import { openWebModel } from "../shared/encoder/sessions/web.ts";
import { exposeEncoder } from "../shared/encoder/worker.ts";
import { EncoderError } from "../shared/errors.ts";
import type { PreparedModel } from "./device-pool.ts";
import { growMemorySparingly } from "./wasm-memory.ts";

growMemorySparingly();

exposeEncoder<PreparedModel>(({ devices, measure, manifest, files, runtime }, duty) =>
  openWebModel({
    device: devices[duty],
    measure,
    manifest,
    runtime: { build: runtime.build, load: () => inflate(runtime.file) },
    async load(name) {
      const file = files.get(name);
      if (!file) throw new EncoderError("internal", `The worker was not given ${name}`);
      return new Uint8Array(await file.arrayBuffer());
    },
  }),
);

function inflate(file: Blob): Promise<ArrayBuffer> {
  return new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
