import { type Endpoint, expose, transfer } from "comlink";
import { EncoderError } from "../errors.ts";
import {
  createSessionEncoder,
  type Embeddings,
  type Encoder,
  type Model,
  type OpenModel,
  type TextOptions,
  type TokenizeOptions,
} from "./encoder.ts";
import type { Duty } from "./pool-worker.ts";
import type { BatchPolicy, Device, Session } from "./session.ts";
import type { Token } from "./tokenizer.ts";

export interface LoadedWorker {
  readonly model: Model;
  readonly device: Device;
  readonly batch: BatchPolicy;
}

/** What a worker answers to, over Comlink. Errors are thrown as plain objects: see `EncoderError.from`. */
export interface RemoteEncoder<Prepared> {
  /** Once, before anything else. */
  load(prepared: Prepared, duty: Duty): Promise<LoadedWorker>;
  /** Computes as many texts, from the first on, as share a run, and gives as many results: at least one. */
  embed(texts: readonly string[], options: TextOptions): Promise<Embeddings>;
  tokenize(texts: readonly string[], options: TokenizeOptions): Promise<Token[][]>;
}

/**
 * Serves one session encoder to an {@link EncoderPool}. The worker's entry chooses the session: it is the place where
 * the platform is known.
 * @param opener what was prepared by the pool's owner, and what this worker is for, to the way in which it opens the model
 * @param endpoint the other end; a Web Worker's own scope when left out
 */
export function exposeEncoder<Prepared>(opener: (prepared: Prepared, duty: Duty) => OpenModel, endpoint?: Endpoint): void {
  let encoder: Encoder | null = null;
  let session: Session | null = null;

  const keepSession =
    (open: OpenModel): OpenModel =>
    async () => {
      const opened = await open();
      session = opened.session;
      return { ...opened, otherwise: opened.otherwise && keepSession(opened.otherwise) };
    };

  const loaded = (): Encoder => {
    if (!encoder) throw new EncoderError("internal", "The worker was asked for vectors before it was loaded");
    return encoder;
  };

  const remote: RemoteEncoder<Prepared> = {
    load: withPlainErrors(async (prepared: Prepared, duty: Duty) => {
      encoder = createSessionEncoder(keepSession(opener(prepared, duty)), { oneRunPerCall: true });
      const model = await encoder.load();
      if (!session) throw new EncoderError("internal", "The model is loaded, but in no session");
      const { device, batch } = session;
      return { model, device, batch };
    }),

    embed: withPlainErrors(async (texts: readonly string[], options: TextOptions) => {
      const embeddings = await loaded().embed(texts, options);
      return transfer(
        embeddings,
        embeddings.vectors.map((vector) => vector.buffer),
      );
    }),

    tokenize: withPlainErrors((texts: readonly string[], options: TokenizeOptions) => loaded().tokenize(texts, options)),
  };
  expose(remote, endpoint);
}

/** The same call, whose errors cross threads whole: see `EncoderError.from`. */
export function withPlainErrors<Arguments extends unknown[], Result>(call: (...args: Arguments) => Promise<Result>) {
  return async (...args: Arguments): Promise<Result> => {
    try {
      return await call(...args);
    } catch (error) {
      throw EncoderError.from(error).toPlain();
    }
  };
}
