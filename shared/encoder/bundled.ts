import { EncoderError } from "../errors.ts";
import type { Model, OpenModel, SelfTest } from "./encoder.ts";
import { checkIntegrity, type GraphName, type Manifest } from "./manifest.ts";
import type { Session } from "./session.ts";
import { createTokenizer } from "./tokenizer.ts";

/** One of a model's files, checked against its manifest. */
export type LoadFile = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** How a platform opens a bundled model. */
export interface BundledModelOptions {
  readonly manifest: Manifest;
  /** Reads or fetches a file of the model, by the name that the manifest gives it. */
  readonly load: LoadFile;
  readonly graph: GraphName;
  /** Makes the platform's session. `load` here checks what it loads. */
  readonly createSession: (options: { graph: Manifest["graphs"][GraphName]; load: LoadFile; exactProducts: boolean }) => Promise<Session>;
  /** Whether this platform's int8 products may saturate: see `OpenModel`. */
  readonly exactProductsMayHelp: boolean;
}

/** Opens a model of `models/` from its manifest: every file's SHA-256 is checked before it is used. */
export function bundledModel({ manifest, load, graph, createSession, exactProductsMayHelp }: BundledModelOptions): OpenModel {
  const loadChecked: LoadFile = async (name) => {
    const bytes = await load(name);
    await checkIntegrity(manifest, name, bytes);
    return bytes;
  };
  const loadJson = async (name: string): Promise<object> => {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await loadChecked(name)));
    if (typeof parsed !== "object" || parsed === null) throw new EncoderError("load_failed", `${name} does not hold a JSON object`);
    return parsed;
  };

  return async ({ exactProducts }) => {
    const tokenizer = createTokenizer(await loadJson(manifest.tokenizer.model), await loadJson(manifest.tokenizer.config));
    const session = await createSession({ graph: manifest.graphs[graph], load: loadChecked, exactProducts });
    return {
      model: modelOf(manifest),
      tokenizer,
      session,
      selfTest: selfTestOf(manifest, graph),
      exactProductsMayHelp: exactProductsMayHelp && !exactProducts,
    };
  };
}

/** What callers may know of a bundled model. */
export function modelOf({ id, fingerprint, dimensions, maxTokens, pooling, prompts }: Manifest): Model {
  return { id, fingerprint, dimensions, maxTokens, pooling, prompts };
}

function selfTestOf({ selfTest }: Manifest, graph: GraphName): SelfTest {
  return {
    minCosine: selfTest.minCosine[graph],
    rows: selfTest.texts.flatMap(({ kind, text, [graph]: vector }) => (vector ? [{ kind, text, vector: decodeVector(vector) }] : [])),
  };
}

/** base64 of little-endian float32 to numbers. */
export function decodeVector(base64: string): Float32Array<ArrayBuffer> {
  const binary = atob(base64);
  const view = new DataView(new ArrayBuffer(binary.length));
  for (let i = 0; i < binary.length; i++) view.setUint8(i, binary.charCodeAt(i));
  return Float32Array.from({ length: view.byteLength >> 2 }, (_, i) => view.getFloat32(i * 4, true));
}

/** Numbers to base64 of little-endian float32. */
export function encodeVector(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [i, component] of vector.entries()) view.setFloat32(i * 4, component, true);
  let binary = "";
  for (let i = 0; i < view.byteLength; i++) binary += String.fromCharCode(view.getUint8(i));
  return btoa(binary);
}
