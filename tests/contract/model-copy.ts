import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Manifest, parseManifest } from "../../shared/encoder/manifest.ts";
import { sha256Hex } from "../../shared/hash.ts";

export const modelDirectory = fileURLToPath(new URL("../../models/bge-small-en-v1.5", import.meta.url));

/** The builds of the WebAssembly engine. */
export const engineDirectory = fileURLToPath(new URL("../../dist/engine", import.meta.url));

export const readManifest = async (): Promise<Manifest> =>
  parseManifest(JSON.parse(await readFile(join(modelDirectory, "manifest.json"), "utf8")));

/** A copy of the bundled model that a test may spoil. */
export class ModelCopy {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<ModelCopy> {
    const directory = await mkdtemp(join(tmpdir(), "samevec-model-"));
    await cp(modelDirectory, directory, { recursive: true });
    return new ModelCopy(directory);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true });
  }

  /** Negates every byte of the second half of a file of weights: still a file of weights, of another model. */
  async alter(name: string): Promise<void> {
    const bytes = await readFile(join(this.directory, name));
    for (let at = bytes.length >> 1; at < bytes.length; at++) bytes.writeInt8(-Math.max(bytes.readInt8(at), -127), at);
    await writeFile(join(this.directory, name), bytes);
  }

  /** Makes the manifest agree with an altered file. */
  async vouchFor(name: string): Promise<void> {
    const path = join(this.directory, "manifest.json");
    const manifest = JSON.parse(await readFile(path, "utf8")) as Manifest;
    const bytes = new Uint8Array(await readFile(join(this.directory, name)));
    manifest.files[name] = { bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
    await writeFile(path, JSON.stringify(manifest));
  }
}
