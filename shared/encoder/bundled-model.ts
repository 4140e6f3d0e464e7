import { EncoderError } from "../errors.ts";
import { decodeVector } from "../vector.ts";
import type { Model } from "./encoder.ts";
import { checkIntegrity, type Manifest } from "./manifest.ts";
import type { OpenedModel, OpenModel, SelfTest } from "./model-runner.ts";
import type { Device, Session } from "./session.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Loads a file of a model, by its name in the manifest. */
export type LoadFile = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** Wraps `load`: it rejects with `integrity_failed` for a file that differs from the manifest. */
export function checkedFiles(manifest: Manifest, load: LoadFile): LoadFile {
  return async (name) => {
    const bytes = await load(name);
    await checkIntegrity(manifest, name, bytes);
    return bytes;
  };
}

/**
 * Opens a model of `models/` with a session. Rejects with `load_failed` if the tokenizer cannot be read.
 * @param load returns verified files
 * @param opening the session, or its promise: the tokenizer is created while the weights load
 * @param otherwise opens the model in another way if the self-test fails
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
    if (typeof parsed !== "object" || parsed === null) throw new EncoderError("load_failed", `${name} is not a JSON object`);
    return parsed;
  };
  return createTokenizer(await loadJson(tokenizer.model), await loadJson(tokenizer.config));
}

/** The public properties of a bundled model. */
export function modelOf({ id, fingerprint, dimensions, maxTokens, pooling, prompts, relevance }: Manifest): Model {
  return { id, fingerprint, dimensions, maxTokens, pooling, prompts, relevance };
}

function selfTestOf({ selfTest: { minCosine, texts } }: Manifest, device: Device): SelfTest {
  // One text only tests GPUs: the engine computes all lengths in the same way.
  const tested = device === "wasm" ? texts.filter(({ native }) => native !== undefined) : texts;
  return {
    minCosine: device === "wasm" ? "exact" : minCosine[device],
    rows: tested.flatMap(({ inputType, text, [device]: vector }) => (vector ? [{ inputType, text, vector: decodeVector(vector) }] : [])),
  };
}
