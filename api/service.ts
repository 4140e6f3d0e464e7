import type { Handler } from "hono";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { DocumentSearch } from "./document-search.ts";
import type { Observer } from "./observer.ts";

export interface AppConfig {
  /** Maximum texts of a request. */
  readonly maxTexts: number;
  /** Maximum characters (UTF-16 units) of a text: far more than a model reads, since the tokenizer reads all of them. */
  readonly maxTextCharacters: number;
  /** Maximum characters of all texts of a request. */
  readonly maxCharacters: number;
  /** Maximum tokens of a request to `/tokenize`, whose answer has an entry for each, and maximum characters of its texts. */
  readonly maxTokenizeTokens: number;
  readonly maxTokenizeCharacters: number;
  /** Maximum texts of all requests that are being answered, cached and duplicate texts included. */
  readonly maxPendingTexts: number;
  /** Maximum bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** Maximum bytes of the bodies of all requests in flight. A body alone always passes. */
  readonly maxBodyBytesInFlight: number;
  /** Maximum ms until a request is answered. */
  readonly requestTimeout: number;
  /** Additional names under which OpenAI clients may request the model. */
  readonly modelAliases: readonly string[];
  /** Each request to the API must present one of them (not those to the page, `/health` …). Empty: no key is required. */
  readonly apiKeys: readonly string[];
  /** Maximum requests per second of an API key; null: no limit. */
  readonly rateLimit: number | null;
  /** Origins whose pages may call the API from a browser, `*` for all. Empty: only its own. */
  readonly corsOrigins: readonly string[];
}

export const defaultConfig: AppConfig = {
  maxTexts: 1024,
  maxTextCharacters: 200_000,
  maxCharacters: Number.POSITIVE_INFINITY,
  maxTokenizeTokens: 8_192,
  maxTokenizeCharacters: 65_536,
  maxPendingTexts: 4_096,
  maxBodyBytes: 8 * 1024 * 1024,
  requestTimeout: 60_000,
  maxBodyBytesInFlight: 64 * 1024 * 1024,
  modelAliases: [],
  apiKeys: [],
  rateLimit: null,
  corsOrigins: [],
};

/** What the routes stand on: handed in, so that the app knows no platform. */
export interface Service {
  readonly encoder: Encoder;
  readonly config: AppConfig;
  /** Host names that the service answers under, in lower case. Default: all. */
  readonly allowedHosts?: readonly string[];
  /** Answers `POST /search`. Default: no such route. */
  readonly search?: DocumentSearch;
  /** Logs and counts. Default: nobody does. */
  readonly observer?: Observer;
  /** Answers `GET /metrics`, where the platform has metrics. */
  readonly metrics?: Handler;
}
