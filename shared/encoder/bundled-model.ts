import { EncoderError } from "../errors.ts";
import type { Model, OpenedModel, OpenModel, SelfTest } from "./encoder.ts";
import { checkIntegrity, type Manifest } from "./manifest.ts";
import type { Device, Session } from "./session.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Gives one of a model's files by the name that its manifest gives it, checked against the manifest. */
export type LoadFile = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** The same files, refused with `integrity_failed` where one is not what the manifest names. */
export function checkedFiles(manifest: Manifest, load: LoadFile): LoadFile {
  return async (name) => {
    const bytes = await load(name);
    await checkIntegrity(manifest, name, bytes);
    return bytes;
  };
}

/**
 * A model of `models/`: its session, its tokenizer and the vectors that it is known by.
 * @param opening the session, which may still be opening: the tokenizer is made while the weights arrive
 */
export async function openedBundledModel(
  manifest: Manifest,
  load: LoadFile,
  opening: Session | Promise<Session>,
  otherwise: OpenModel | null,
): Promise<OpenedModel> {
  const [tokenizer, session] = await Promise.all([loadTokenizer(manifest, load), opening]);
  return { model: modelOf(manifest), tokenizer, session, selfTest: selfTestOf(manifest, session.device), otherwise };
}

async function loadTokenizer({ tokenizer }: Manifest, load: LoadFile): Promise<Tokenizer> {
  const loadJson = async (name: string): Promise<object> => {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await load(name)));
    if (typeof parsed !== "object" || parsed === null) throw new EncoderError("load_failed", `${name} does not hold a JSON object`);
    return parsed;
  };
  return createTokenizer(await loadJson(tokenizer.model), await loadJson(tokenizer.config));
}

/** What callers may know of a bundled model. */
export function modelOf({ id, fingerprint, dimensions, maxTokens, pooling, prompts }: Manifest): Model {
  return { id, fingerprint, dimensions, maxTokens, pooling, prompts };
}

function selfTestOf({ selfTest: { minCosine, texts } }: Manifest, device: Device): SelfTest {
  // The engine is right on all lengths or on none: it is spared the text that only proves a GPU.
  const tested = device === "wasm" ? texts.filter(({ native }) => native !== undefined) : texts;
  return {
    minCosine: device === "wasm" ? "exact" : minCosine[device],
    rows: tested.flatMap(({ kind, text, [device]: vector }) => (vector ? [{ kind, text, vector: decodeVector(vector) }] : [])),
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
