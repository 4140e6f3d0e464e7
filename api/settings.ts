import { z } from "zod";
import { type AppConfig, defaultConfig } from "./service.ts";

/** Schema of comma-separated values. Whitespace around values is ignored. */
export const list = <Item extends z.ZodType<string, string>>(item: Item) =>
  z
    .string()
    .transform((value) =>
      value
        .split(",")
        .map((part) => part.trim())
        .filter(Boolean),
    )
    .pipe(z.array(item));

export const count = z.coerce.number("must be a whole number").int("must be a whole number");
export const seconds = z.coerce.number("must be a number of seconds").positive("must be more than 0").max(86_400);

/** The bearer token syntax of RFC 6750. */
const apiKey = z.string().regex(/^[A-Za-z0-9._~+/-]{8,}=*$/, "each must consist of at least 8 of the characters A-Z a-z 0-9 . _ ~ + / -");

const corsOrigin = z
  .string()
  .refine(
    (value) => value === "*" || (URL.canParse(value) && new URL(value).origin === value),
    'each must be "*" or an origin such as https://example.com',
  );

/** Settings that Node.js and the edge share. `api/node/settings.ts` and `api/edge/main.ts` extend them. */
export const appSettings = z.object({
  API_KEYS: list(apiKey)
    .refine((keys) => keys.length > 0, "must contain at least one key")
    .default([])
    .meta({
      description:
        "Comma-separated API keys. Requests to the API must send one as `Authorization: Bearer <key>`. The page, `/docs`, `/health` and `/metrics` stay open.",
      unset: "no authentication",
    }),
  RATE_LIMIT: count.min(1).optional().meta({
    description: "Maximum requests per second and API key. Beyond it, requests get 429 with `Retry-After`. Ignored without `API_KEYS`.",
    unset: "no limit",
  }),
  CORS_ORIGINS: list(corsOrigin).default([]).meta({
    description: "Comma-separated origins that may call the API from a browser; `*` allows all.",
    unset: "same origin only",
  }),
  MODEL_ALIASES: list(z.string())
    .default([])
    .meta({ description: "Comma-separated additional names of the model for OpenAI clients.", unset: "none" }),
  MAX_BODY_BYTES: count.min(1).default(defaultConfig.maxBodyBytes).meta({ description: "Maximum size of a request body in bytes." }),
  MAX_BODY_BYTES_IN_FLIGHT: count.min(1).default(defaultConfig.maxBodyBytesInFlight).meta({
    description:
      "Maximum total size of the bodies of pending requests in bytes. Beyond it, requests get 429 with `Retry-After`. A single body always fits.",
  }),
  MAX_TEXTS: count.min(1).default(defaultConfig.maxTexts).meta({ description: "Maximum texts per request." }),
  MAX_TEXT_CHARACTERS: count.min(1).default(defaultConfig.maxTextCharacters).meta({
    description: "Maximum characters per text. The model reads the first few thousand, but the tokenizer reads the whole text.",
  }),
  MAX_TOKENIZE_CHARACTERS: count.min(1).default(defaultConfig.maxTokenizeCharacters).meta({
    description: "Maximum total characters of a request to `/tokenize`.",
  }),
  MAX_TOKENIZE_TOKENS: count.min(1).default(defaultConfig.maxTokenizeTokens).meta({
    description: "Maximum tokens of a request to `/tokenize`, which returns an entry for each token.",
  }),
  QUEUE_TEXTS: count.min(1).default(defaultConfig.maxPendingTexts).meta({
    description: "Maximum texts of all pending requests, including cached texts. Beyond it, requests get 429 with `Retry-After`.",
  }),
  QUEUE_TOKENS: count
    .min(1)
    .default(524_288)
    .meta({ description: "Maximum estimated tokens of queued and running texts. Beyond it, requests get 429 with `Retry-After`." }),
  REQUEST_TIMEOUT: seconds
    .default(defaultConfig.requestTimeout / 1000)
    .meta({ description: "Maximum duration of a request in seconds. Beyond it, requests get 504." }),
});

/** Converts settings to the app's configuration. Times become ms. */
export function appConfigOf(values: z.output<typeof appSettings>): AppConfig {
  return {
    maxBodyBytes: values.MAX_BODY_BYTES,
    maxBodyBytesInFlight: values.MAX_BODY_BYTES_IN_FLIGHT,
    maxTexts: values.MAX_TEXTS,
    maxTextCharacters: values.MAX_TEXT_CHARACTERS,
    maxCharacters: Number.POSITIVE_INFINITY,
    maxTokenizeTokens: values.MAX_TOKENIZE_TOKENS,
    maxTokenizeCharacters: values.MAX_TOKENIZE_CHARACTERS,
    maxPendingTexts: values.QUEUE_TEXTS,
    requestTimeout: values.REQUEST_TIMEOUT * 1000,
    modelAliases: values.MODEL_ALIASES,
    apiKeys: values.API_KEYS,
    rateLimit: values.RATE_LIMIT ?? null,
    corsOrigins: values.CORS_ORIGINS,
  };
}

/** Invalid settings. The message names each invalid setting, but contains no value: a value may be a key. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** Environment variables such as `process.env`. Empty variables count as unset, because Compose files may set them. */
export type Environment = Readonly<Record<string, unknown>>;

/** Parses the settings of `schema`. Other variables are ignored. Throws {@link SettingsError}. */
export function parseSettings<Schema extends z.ZodType>(schema: Schema, environment: Environment): z.output<Schema> {
  const given = Object.entries(environment).filter(([, value]) => value !== undefined && value !== "");
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `  ${String(path[0])}: ${message}`);
  throw new SettingsError(`invalid environment variables\n${[...new Set(faults)].join("\n")}`);
}
