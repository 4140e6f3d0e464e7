import type { Handler } from "hono";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { SearchEngine } from "../shared/search/search-engine.ts";
import type { Observer } from "./observer.ts";

export interface AppConfig {
  /** The most texts of one request. */
  readonly maxTexts: number;
  /** The most characters (UTF-16 units) of a text: far more than a model reads, since a tokenizer reads all of them. */
  readonly maxTextCharacters: number;
  /** The most bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** Names besides the model's own under which OpenAI clients may ask for it. */
  readonly modelAliases: readonly string[];
  /** One of them must come with each request to the API (not to the page, `/health` …). Empty: none is asked for. */
  readonly apiKeys: readonly string[];
  /** Origins whose pages may call from a browser, `*` for all. Empty: none but its own. */
  readonly corsOrigins: readonly string[];
}

export const defaultConfig: AppConfig = {
  maxTexts: 1024,
  maxTextCharacters: 200_000,
  maxBodyBytes: 8 * 1024 * 1024,
  modelAliases: [],
  apiKeys: [],
  corsOrigins: [],
};

/** What the routes stand on: handed in, so that the app knows no platform. */
export interface Service {
  readonly encoder: Encoder;
  readonly config: AppConfig;
  /** Documents, for `POST /search`. Default: there is no such route. */
  readonly search?: SearchEngine;
  /** Logs and counts. Default: nobody does. */
  readonly observer?: Observer;
  /** Answers `GET /metrics`, where the platform has metrics. */
  readonly metrics?: Handler;
}
