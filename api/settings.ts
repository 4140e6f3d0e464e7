import { z } from "zod";
import { type AppConfig, defaultConfig } from "./service.ts";

/** Comma-separated values; spaces around them do not count. */
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

/** A key goes over the wire in a header, as RFC 6750 spells a bearer token. */
const apiKey = z.string().regex(/^[A-Za-z0-9._~+/-]{8,}=*$/, "each must have at least 8 of the characters A-Z a-z 0-9 . _ ~ + / -");

const corsOrigin = z
  .string()
  .refine(
    (value) => value === "*" || (URL.canParse(value) && new URL(value).origin === value),
    'each must be "*" or an origin as browsers send it, such as https://example.com',
  );

/** The settings of the service wherever it runs. What only Node has to be told is beside them, in config.ts. */
export const appSettings = z.object({
  API_KEYS: list(apiKey)
    .refine((keys) => keys.length > 0, "must hold a key")
    .default([])
    .meta({
      description:
        "Keys, comma-separated, one of which a request to the API must bring as `Authorization: Bearer …`. The page, `/docs`, `/health` and `/metrics` stay open.",
      unset: "no key is asked for",
    }),
  RATE_LIMIT: count.min(1).optional().meta({
    description: "The most requests a second of each API key. Beyond it: 429 with `Retry-After`. Without `API_KEYS` it does not count.",
    unset: "no limit",
  }),
  CORS_ORIGINS: list(corsOrigin).default([]).meta({
    description: "Origins, comma-separated, whose pages may call the API from a browser; `*` for all.",
    unset: "none but its own",
  }),
  MODEL_ALIASES: list(z.string())
    .default([])
    .meta({ description: "More names, comma-separated, under which OpenAI clients may ask for the model.", unset: "none" }),
  MAX_BODY_BYTES: count.min(1).default(defaultConfig.maxBodyBytes).meta({ description: "The most bytes of a request's body." }),
  MAX_BODY_BYTES_IN_FLIGHT: count.min(1).default(defaultConfig.maxBodyBytesInFlight).meta({
    description: "Maximum bytes of all bodies in flight. Beyond it: 429 with `Retry-After`. A body alone always passes.",
  }),
  MAX_TEXTS: count.min(1).default(defaultConfig.maxTexts).meta({ description: "Maximum texts of a request." }),
  MAX_TEXT_CHARACTERS: count.min(1).default(defaultConfig.maxTextCharacters).meta({
    description: "Maximum characters of a text. The model reads the first few thousand; the tokenizer reads all.",
  }),
  MAX_TOKENIZE_CHARACTERS: count.min(1).default(defaultConfig.maxTokenizeCharacters).meta({
    description: "Maximum characters of a request to `/tokenize`.",
  }),
  MAX_TOKENIZE_TOKENS: count.min(1).default(defaultConfig.maxTokenizeTokens).meta({
    description: "Maximum tokens of a request to `/tokenize`, whose answer has an entry for each.",
  }),
  QUEUE_TEXTS: count.min(1).default(defaultConfig.maxPendingTexts).meta({
    description: "Maximum texts of all requests that are being answered, cached ones included. Beyond it: 429 with `Retry-After`.",
  }),
  QUEUE_TOKENS: count
    .min(1)
    .default(524_288)
    .meta({ description: "Maximum estimated tokens that are queued or being computed. Beyond it: 429 with `Retry-After`." }),
  REQUEST_TIMEOUT: seconds
    .default(defaultConfig.requestTimeout / 1000)
    .meta({ description: "Seconds after which a request that is not answered gets 504." }),
});

/** What the app is told of its settings. */
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

/** The environment is not right. Its message names every setting that is wrong, and no value: a key may be among them. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** As `process.env` is. A setting that is empty counts as unset: compose files pass on empty ones. */
export type Environment = Readonly<Record<string, unknown>>;

/** The settings that `schema` names; what else there is does not count. Throws {@link SettingsError}. */
export function parseSettings<Schema extends z.ZodType>(schema: Schema, environment: Environment): z.output<Schema> {
  const given = Object.entries(environment).filter(([, value]) => value !== undefined && value !== "");
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `  ${String(path[0])}: ${message}`);
  throw new SettingsError(`the environment is not right\n${[...new Set(faults)].join("\n")}`);
}
