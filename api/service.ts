import type { Handler } from "hono";
import type { Encoder } from "../shared/encoder/encoder.ts";
import type { DocumentSearch } from "./document-search.ts";
import type { Observer } from "./observer.ts";

export interface AppConfig {
  /** Maximum texts per request. */
  readonly maxTexts: number;
  /** Maximum characters (UTF-16 code units) per text. The model reads only the beginning, but the tokenizer reads the whole text. */
  readonly maxTextCharacters: number;
  /** Maximum total characters of the texts of a request. */
  readonly maxCharacters: number;
  /** Maximum tokens and maximum characters of a request to `/tokenize`, which returns an entry for each token. */
  readonly maxTokenizeTokens: number;
  readonly maxTokenizeCharacters: number;
  /** Maximum texts of all pending requests, including cached and duplicate texts. */
  readonly maxPendingTexts: number;
  /** Maximum size of a request body in bytes. */
  readonly maxBodyBytes: number;
  /** Maximum total size of the bodies of pending requests in bytes. A single body always fits. */
  readonly maxBodyBytesInFlight: number;
  /** Maximum duration of a request in ms. */
  readonly requestTimeout: number;
  /** Additional names under which OpenAI clients may request the model. */
  readonly modelAliases: readonly string[];
  /** Accepted API keys. The page, `/health` and `/metrics` require none. Empty: the API is open. */
  readonly apiKeys: readonly string[];
  /** Maximum requests per second and API key; null: no limit. */
  readonly rateLimit: number | null;
  /** Origins that may call the API from a browser; `*` allows all. Empty: same origin only. */
  readonly corsOrigins: readonly string[];
}

export const defaultConfig: AppConfig = {
  maxTexts: 1024,
  maxTextCharacters: 200_000,
  maxCharacters: Number.POSITIVE_INFINITY,
  maxTokenizeTokens: 8_192,
  maxTokenizeCharacters: 65_536,
  maxPendingTexts: 4_096,
  maxBodyBytes: 2 * 1024 * 1024,
  requestTimeout: 60_000,
  maxBodyBytesInFlight: 16 * 1024 * 1024,
  modelAliases: [],
  apiKeys: [],
  rateLimit: null,
  corsOrigins: [],
};

/** Dependencies of the app. The platform supplies them. */
export interface Service {
  readonly encoder: Encoder;
  readonly config: AppConfig;
  /** Accepted host names in lower case. Default: all. */
  readonly allowedHosts?: readonly string[];
  /** Handles `POST /search`. Default: the route does not exist. */
  readonly search?: DocumentSearch;
  /** Receives events for logs and metrics. Default: none. */
  readonly observer?: Observer;
  /** Handles `GET /metrics`. Default: the route does not exist. */
  readonly metrics?: Handler;
}
