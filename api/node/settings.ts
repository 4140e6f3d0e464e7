import { z } from "zod";
import type { AppConfig } from "../service.ts";
import { appConfigOf, appSettings, count, type Environment, list, parseSettings, seconds } from "../settings.ts";
import type { ConnectionLimits } from "./connections.ts";
import type { NodeEncoderOptions } from "./encoder.ts";

export { type Environment, SettingsError } from "../settings.ts";

/**
 * Every setting of the Node service, by the name that it has in the environment: description, default, and what is
 * refused. README.md's table is made of it. `unset` says what a setting without a default means.
 */
export const environmentSchema = z.object({
  HOST: z.string().default("127.0.0.1").meta({ description: "Address to listen on; `0.0.0.0` for every IPv4 one, `::` for all." }),
  PORT: count.min(0).max(65_535).default(3000).meta({ description: "Port; 0 takes a free one." }),
  ALLOWED_HOSTS: list(z.string().regex(/^([\w.-]+|\[[\da-f:.]+\])$/i, "each must be a name without a port, such as search.example.com"))
    .default([])
    .meta({
      description:
        "Host names, comma-separated and without a port, that the service answers under, beside `localhost`, `127.0.0.1` and `[::1]`. Others get 421.",
      unset: "only those three while it listens on this machine's own address, else every name",
    }),
  MODEL: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+(@[\w.-]+)?$/, "must be org/name or org/name@revision")
    .optional()
    .meta({
      description: "A model of the Hugging Face hub, `org/name` or `org/name@revision`: a sentence-transformers model with an ONNX file.",
      unset: "the bundled bge-small-en-v1.5",
    }),
  DEVICE: z.enum(["native", "wasm"], "must be native or wasm").optional().meta({
    description:
      "What computes the bundled model: `native` is onnxruntime-node; `wasm` is the WebAssembly engine, which gives the same bits as in pages and isolates.",
    unset: "native where onnxruntime-node is installed, else wasm",
  }),
  HF_ENDPOINT: z.url("must be a URL").optional().meta({ description: "Where the hub is.", unset: "the public one" }),
  HUB_MAX_BYTES: count
    .min(1)
    .default(2_000_000_000)
    .meta({ description: "How many bytes a model of the hub may have; larger ones are refused." }),
  WORKERS: count
    .min(1)
    .max(256)
    .optional()
    .meta({ description: "Worker processes, each with the model (about 90 MB) and one run at a time.", unset: "one for each core" }),
  INDEX_FILE: z
    .string()
    .optional()
    .meta({ description: "An index file (`samevec index`) for `POST /search`.", unset: "none, and no such route" }),
  INTERACTIVE_WORKERS: count
    .min(0)
    .max(256)
    .default(1)
    .meta({ description: "More of them, kept for requests of one or a few short texts, which so never wait for a bulk job's text." }),
  ...appSettings.shape,
  MAX_CONNECTIONS: count.min(1).default(1000).meta({ description: "Maximum connections. Further ones are closed." }),
  HEADERS_TIMEOUT: seconds.default(10).meta({ description: "Seconds in which a request's headers must arrive. Beyond it: 408." }),
  BODY_TIMEOUT: seconds.default(30).meta({ description: "Seconds in which a whole request must arrive. Beyond it: 408." }),
  WRITE_TIMEOUT: seconds
    .default(30)
    .meta({ description: "Seconds after which the connection of a client that reads nothing of its answer is closed." }),
  CACHE_BYTES: count
    .min(0)
    .default(16 * 1024 * 1024)
    .meta({ description: "Memory for vectors of texts that were asked for before, in bytes; 0 keeps none." }),
  RUN_TIMEOUT: seconds.default(20).meta({
    description:
      "Seconds after which a worker that has not answered counts as hung and is replaced. Keep it below half of `REQUEST_TIMEOUT`.",
  }),
  SHUTDOWN_TIMEOUT: seconds.default(25).meta({
    description:
      "Seconds for pending requests to complete after SIGTERM. The process ends at most 5 s later: keep the sum below the platform's grace period.",
  }),
  LOG_LEVEL: z
    .enum(["silent", "error", "warn", "info", "debug"], "must be silent, error, warn, info or debug")
    .default("info")
    .meta({ description: "What goes to the log: `debug` has probes too, `warn` no ordinary requests, `silent` nothing." }),
});

/** What the service runs by. Times in ms. */
export interface Settings extends NodeEncoderOptions {
  readonly host: string;
  readonly port: number;
  /** Host names, in lower case, beside those of this machine itself. */
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

/** All settings. Throws {@link SettingsError}. */
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

/** The encoder's settings alone: who serves nothing need not care what `PORT` is. Throws {@link SettingsError}. */
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
