import type { CallOptions, Embeddings, EmbedOptions, Encoder, EncoderInfo, Kind, Model, TokenizeOptions } from "./encoder.ts";
import type { Token } from "./tokenizer.ts";

/** An encoder over another one. As it stands it passes every call on; a layer overrides what it is there for. */
export abstract class EncoderLayer implements Encoder {
  protected readonly below: Encoder;

  constructor(below: Encoder) {
    this.below = below;
  }

  load(options?: CallOptions): Promise<Model> {
    return this.below.load(options);
  }

  embed(texts: string | readonly string[], options?: EmbedOptions): Promise<Embeddings> {
    return this.below.embed(texts, options);
  }

  countTokens(texts: string | readonly string[], options?: CallOptions & { readonly kind?: Kind }): Promise<number[]> {
    return this.below.countTokens(texts, options);
  }

  tokenize(texts: string | readonly string[], options?: TokenizeOptions): Promise<Token[][]> {
    return this.below.tokenize(texts, options);
  }

  info(): EncoderInfo {
    return this.below.info();
  }

  dispose(): Promise<void> {
    return this.below.dispose();
  }
}
