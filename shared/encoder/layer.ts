import type { CallOptions, Embeddings, EmbedOptions, Encoder, EncoderInfo, Model, TokenizeOptions } from "./encoder.ts";
import type { Token } from "./tokenizer.ts";

/**
 * An encoder over another one. As it stands it passes every call on; a layer overrides what it is there for: one kind of
 * call, or `pass`, through which all go.
 */
export abstract class EncoderLayer implements Encoder {
  protected below: Encoder;

  constructor(below: Encoder) {
    this.below = below;
  }

  load(options: CallOptions = {}): Promise<Model> {
    return this.pass(options, (below, options) => below.load(options));
  }

  embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Embeddings> {
    return this.pass(options, (below, options) => below.embed(texts, options));
  }

  tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): Promise<Token[][]> {
    return this.pass(options, (below, options) => below.tokenize(texts, options));
  }

  info(): EncoderInfo {
    return this.below.info();
  }

  dispose(): Promise<void> {
    return this.below.dispose();
  }

  /** Makes a call of any kind on the encoder below. */
  protected pass<Options extends CallOptions, T>(options: Options, call: (below: Encoder, options: Options) => Promise<T>): Promise<T> {
    return call(this.below, options);
  }
}
