import { z } from "zod";
import type { AppConfig } from "../service.ts";
import { appConfigOf, appSettings, count, type Environment, list, parseSettings, seconds } from "../settings.ts";
import type { ConnectionLimits } from "./connections.ts";
import type { NodeEncoderOptions } from "./encoder.ts";

export { type Environment, SettingsError } from "../settings.ts";

/**
 * Settings of the Node.js service by environment variable. The table in docs/configuration.md is generated from it. `unset` describes the
 * behaviour of an unset variable without a default.
 */
export const environmentSchema = z.object({
  HOST: z
    .string()
    .default("127.0.0.1")
    .meta({ description: "Address to listen on; `0.0.0.0` listens on all IPv4 addresses, `::` on all addresses." }),
  PORT: count.min(0).max(65_535).default(3000).meta({ description: "Port; 0 selects a free port." }),
  ALLOWED_HOSTS: list(
    z.string().regex(/^([\w.-]+|\[[\da-f:.]+\])$/i, "each must be a host name without a port, such as search.example.com"),
  )
    .default([])
    .meta({
      description:
        "Comma-separated host names, without ports, that the service accepts in addition to `localhost`, `127.0.0.1` and `[::1]`. Requests with other host names get 421.",
      unset: "only those three when `HOST` is a loopback address, otherwise all",
    }),
  MODEL: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+(@[\w.-]+)?$/, "must be org/name or org/name@revision")
    .optional()
    .meta({
      description: "Hugging Face hub model, `org/name` or `org/name@revision`. It must be a sentence-transformers model with an ONNX file.",
      unset: "the bundled bge-small-en-v1.5",
    }),
  DEVICE: z.enum(["native", "wasm"], "must be native or wasm").optional().meta({
    description:
      "Device of the bundled model: `native` (onnxruntime-node) or `wasm` (the WebAssembly engine, with the same bits as in pages and isolates).",
    unset: "`native` if onnxruntime-node is installed, otherwise `wasm`",
  }),
  HF_ENDPOINT: z.url("must be a URL").optional().meta({ description: "URL of the hub.", unset: "`https://huggingface.co`" }),
  HUB_MAX_BYTES: count.min(1).default(2_000_000_000).meta({ description: "Maximum total size of a hub model in bytes." }),
  WORKERS: count
    .min(1)
    .max(256)
    .optional()
    .meta({ description: "Worker processes. Each loads the model (about 90 MB) and runs one batch at a time.", unset: "one per core" }),
  INDEX_FILE: z
    .string()
    .optional()
    .meta({ description: "Path of an index file (`samevec index`) for `POST /search`.", unset: "none; `POST /search` does not exist" }),
  INTERACTIVE_WORKERS: count
    .min(0)
    .max(256)
    .default(1)
    .meta({ description: "Additional workers reserved for requests of one or a few short texts, so that these never wait for bulk jobs." }),
  ...appSettings.shape,
  MAX_CONNECTIONS: count.min(1).default(1000).meta({ description: "Maximum concurrent connections. Further connections are closed." }),
  HEADERS_TIMEOUT: seconds
    .default(10)
    .meta({ description: "Maximum seconds for the request headers to arrive. Beyond it, requests get 408." }),
  BODY_TIMEOUT: seconds
    .default(30)
    .meta({ description: "Maximum seconds for the complete request to arrive. Beyond it, requests get 408." }),
  WRITE_TIMEOUT: seconds
    .default(30)
    .meta({ description: "Seconds after which the connection of a client that stops reading the response is closed." }),
  CACHE_BYTES: count
    .min(0)
    .default(16 * 1024 * 1024)
    .meta({ description: "Maximum memory of cached vectors in bytes; 0 disables the cache." }),
  RUN_TIMEOUT: seconds.default(20).meta({
    description: "Seconds after which a worker that does not respond is replaced. Keep it below half of `REQUEST_TIMEOUT`.",
  }),
  SHUTDOWN_TIMEOUT: seconds.default(25).meta({
    description:
      "Maximum seconds for pending requests to complete after SIGTERM. The process exits at most 5 s later. Keep the sum below the platform's grace period.",
  }),
  LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"], "must be silent, error, warn, info or debug").default("info").meta({
    description: "Minimum level of log lines. `debug` includes probes, `info` requests, `warn` only problems; `silent` disables the log.",
  }),
});

/** Settings of the service. Times in ms. */
export interface Settings extends NodeEncoderOptions {
  readonly host: string;
  readonly port: number;
  /** Accepted host names in lower case, in addition to the loopback names. */
  readonly allowedHosts: readonly string[];
  readonly connections: ConnectionLimits;
  /** Path of an index file. */
  readonly index?: string;
  readonly config: AppConfig;
  readonly queueTokens: number;
  readonly cacheBytes: number;
  readonly shutdownTimeout: number;
  readonly logLevel: z.output<typeof environmentSchema>["LOG_LEVEL"];
}

/** Reads all settings. Throws {@link SettingsError}. */
export function readSettings(environment: Environment): Settings {
  const values = parseSettings(environmentSchema, environment);
  return {
    host: values.HOST,
    port: values.PORT,
    allowedHosts: values.ALLOWED_HOSTS.map((name) => name.toLowerCase()),
    connections: {
      maxConnections: values.MAX_CONNECTIONS,
      headersTimeout: values.HEADERS_TIMEOUT * 1000,
      bodyTimeout: values.BODY_TIMEOUT * 1000,
      writeTimeout: values.WRITE_TIMEOUT * 1000,
    },
    ...encoderOptions(values),
    ...(values.INDEX_FILE !== undefined && { index: values.INDEX_FILE }),
    interactiveWorkers: values.INTERACTIVE_WORKERS,
    config: appConfigOf(values),
    queueTokens: values.QUEUE_TOKENS,
    cacheBytes: values.CACHE_BYTES,
    runTimeout: values.RUN_TIMEOUT * 1000,
    shutdownTimeout: values.SHUTDOWN_TIMEOUT * 1000,
    logLevel: values.LOG_LEVEL,
  };
}

const encoderSchema = environmentSchema.pick({ MODEL: true, DEVICE: true, HF_ENDPOINT: true, HUB_MAX_BYTES: true, WORKERS: true });

/** Reads only the encoder's settings and ignores others such as `PORT`. Throws {@link SettingsError}. */
export function readEncoderSettings(environment: Environment): NodeEncoderOptions {
  return encoderOptions(parseSettings(encoderSchema, environment));
}

function encoderOptions(values: z.output<typeof encoderSchema>): NodeEncoderOptions {
  const { WORKERS: workers, DEVICE: device, MODEL: hub, HF_ENDPOINT: endpoint, HUB_MAX_BYTES: maxBytes } = values;
  return {
    ...(device !== undefined && { device }),
    ...(workers !== undefined && { workers }),
    ...(hub !== undefined && { model: { hub, maxBytes, ...(endpoint !== undefined && { endpoint }) } }),
  };
}
