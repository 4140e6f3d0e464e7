import { EncoderError } from "../errors.ts";
import { decodeVector } from "../vector.ts";
import type { Model } from "./encoder.ts";
import { checkIntegrity, type Manifest } from "./manifest.ts";
import type { OpenedModel, OpenModel, SelfTest } from "./model-runner.ts";
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
    rows: tested.flatMap(({ inputType, text, [device]: vector }) => (vector ? [{ inputType, text, vector: decodeVector(vector) }] : [])),
  };
}
