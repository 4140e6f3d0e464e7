import { z } from "zod";
import { environmentSchema } from "./environment-schema.ts";

const loopDelaySchema = z.object({ p50: z.number(), p99: z.number(), max: z.number() });

/** How late a timer of 1 ms fired in the process that asks for vectors: percentiles of the whole interval, in ms. */
export type LoopDelay = z.infer<typeof loopDelaySchema>;

const measurementSchema = z.object({
  contender: z.string(),
  texts: z.string(),
  round: z.number(),
  seconds: z.number(),
  /** Processor time of all threads of the process, while it embedded. */
  cpuSeconds: z.number(),
  /** Cores that other processes kept busy meanwhile: on a quiet machine, near 0. */
  coresElsewhere: z.number(),
  /** Over the life of the process, loading included. */
  peakBytes: z.number(),
  /** Null for what embeds in a call that nothing else is asked of meanwhile. */
  loopDelay: loopDelaySchema.nullable(),
  /** The worst cosine, over all texts, to the vector that the reference gave in the same round. */
  worstCosine: z.number(),
});

export type Measurement = z.infer<typeof measurementSchema>;

export const comparisonSchema = z.object({
  environment: environmentSchema,
  rounds: z.number(),
  /** Contenders by id, with the name to show. The first is the reference, to which the others are compared. */
  contenders: z.array(z.object({ id: z.string(), label: z.string(), precision: z.enum(["int8", "float32"]).optional() })).min(1),
  textSets: z.array(z.object({ name: z.string(), texts: z.number(), tokens: z.number() })),
  measurements: z.array(measurementSchema),
  skipped: z.array(z.object({ contender: z.string(), reason: z.string() })),
});

/** Contenders on the same texts, in rounds. */
export type Comparison = z.infer<typeof comparisonSchema>;

export const growthSchema = comparisonSchema.extend({
  /** `along` says what grows from one set to the next: the number of texts, or the tokens of each. */
  textSets: z.array(z.object({ name: z.string(), along: z.enum(["texts", "length"]), texts: z.number(), tokens: z.number() })),
});

/** Contenders on more and more texts, and on longer and longer ones. */
export type Growth = z.infer<typeof growthSchema>;

const browserMeasurementSchema = z.object({
  ...measurementSchema.pick({ contender: true, texts: true, round: true, seconds: true, coresElsewhere: true, worstCosine: true }).shape,
  /** Processor time of all processes of the browser, while it embedded. */
  cpuSeconds: z.number(),
  /** Of the page's process, workers included, loading included; null where the platform does not tell. */
  peakBytes: z.number().nullable(),
  /** On the page's own thread, while it loaded and while it embedded, in ms; 0 where none took 50 ms. */
  longestTask: z.object({ loading: z.number(), embedding: z.number() }),
});

export type BrowserMeasurement = z.infer<typeof browserMeasurementSchema>;

const visitSchema = z.object({
  /** From the navigation to the first vector, in ms. */
  ms: z.number(),
  /** What the server sent. */
  bytes: z.number(),
  /** On the page's own thread, in ms; 0 where none took 50 ms. */
  longestTask: z.number(),
});

const visitsSchema = z.object({ contender: z.string(), round: z.number(), cold: visitSchema, warm: visitSchema });

/** A person's first visit, and the second one, in a browser that was started anew. */
export type Visits = z.infer<typeof visitsSchema>;

export const browserSchema = comparisonSchema.extend({
  /** Version of the Chromium. */
  browser: z.string(),
  measurements: z.array(browserMeasurementSchema),
  visits: z.array(visitsSchema).default([]),
});

/** Contenders in a browser on the same texts, in rounds. */
export type BrowserComparison = z.infer<typeof browserSchema>;

export const webgpuSchema = browserSchema.extend({
  /** The graphics hardware, as far as the browser tells. */
  adapter: z.string(),
  /** Cosines of our vectors to those of the published model in float32. */
  golden: z.object({ texts: z.number(), worst: z.number(), mean: z.number() }),
});

export type WebgpuResult = z.infer<typeof webgpuSchema>;

const windowSchema = z.object({
  seconds: z.number(),
  /** `GET /health` as a client saw it: how often, and percentiles in ms. */
  health: z.object({ requests: z.number(), p50: z.number(), p99: z.number(), max: z.number() }),
  loopDelay: loopDelaySchema,
});

/** What was seen of the service while it did one thing. */
export type ServiceWindow = z.infer<typeof windowSchema>;

export const serviceSchema = z.object({
  environment: environmentSchema,
  workers: z.number(),
  texts: z.number(),
  tokens: z.number(),
  rounds: z.array(z.object({ loading: windowSchema, idle: windowSchema, embedding: windowSchema, peakBytes: z.number() })),
});

export type ServiceResult = z.infer<typeof serviceSchema>;

const rivalWindowSchema = z.object({
  /** Percentiles in ms, as a client in another process saw it. */
  query: z.object({ requests: z.number(), p50: z.number(), p95: z.number(), p99: z.number() }),
  health: z.object({ requests: z.number(), p50: z.number(), p95: z.number(), p99: z.number() }),
  loopDelay: loopDelaySchema,
  /** Texts a second of the bulk requests that were answered. */
  throughput: z.number(),
  /** Requests of all kinds by the status of their answer. */
  answers: z.record(z.string(), z.number()),
});

/** What clients saw of a service while it was under one load. */
export type RivalWindow = z.infer<typeof rivalWindowSchema>;

export const fastapiSchema = z.object({
  environment: environmentSchema,
  services: z.array(z.object({ id: z.string(), label: z.string() })).min(1),
  rounds: z.array(
    z.object({ service: z.string(), round: z.number(), idle: rivalWindowSchema, bulk: rivalWindowSchema, peakBytes: z.number() }),
  ),
});

/** Our service and a FastAPI service under the same load. */
export type FastapiResult = z.infer<typeof fastapiSchema>;

const edgeTextsSchema = z.object({
  /** Of each text, special tokens included. */
  tokens: z.number(),
  /** From the request to the last byte of its answer, as a client sees it: the median. */
  ms: z.number(),
  /** Processor time of workerd for each text; null where the platform does not tell. */
  cpuMs: z.number().nullable(),
});

export const edgeSchema = z.object({
  environment: environmentSchema,
  /** `first`: the first text of an isolate, which it loads the model for. */
  rounds: z.array(z.object({ first: edgeTextsSchema, texts: z.array(edgeTextsSchema) })).min(1),
});

export type EdgeResult = z.infer<typeof edgeSchema>;

export const dimensionsSchema = z.object({
  environment: environmentSchema,
  documents: z.number(),
  queries: z.number(),
  /** nDCG@10, the mean over the queries, with the first so many dimensions. The first row has all. */
  rows: z.array(z.object({ dimensions: z.number(), ndcg: z.number() })).min(1),
});

/** What cutting vectors costs a search. */
export type DimensionsResult = z.infer<typeof dimensionsSchema>;

const latencySchema = z.object({ requests: z.number(), p50: z.number(), p95: z.number(), max: z.number() });

/** What a client waited for its answers, in ms. */
export type Latency = z.infer<typeof latencySchema>;

const loadRoundSchema = z.object({
  /** One query at a time: while nothing else is asked for, and while bulk requests keep every worker busy. */
  idle: latencySchema,
  busy: latencySchema,
  /** Texts a second while bulk requests keep every worker busy. */
  capacity: z.number(),
  overload: z.object({
    seconds: z.number(),
    /** Requests by the status of their answer. */
    answers: z.record(z.string(), z.number()),
    /** Requests without an answer. */
    lost: z.number(),
    /** Texts a second: sent, and answered with a vector. */
    offered: z.number(),
    served: z.number(),
    /** Of the answers with 200. */
    latency: latencySchema,
    /** Of each answer with 429, in s. */
    retryAfter: z.array(z.number()),
  }),
});

/** One life of the service under load. */
export type LoadRound = z.infer<typeof loadRoundSchema>;

export const loadSchema = z.object({ environment: environmentSchema, workers: z.number(), rounds: z.array(loadRoundSchema) });

export type LoadResult = z.infer<typeof loadSchema>;

export const soakSchema = z.object({
  environment: environmentSchema,
  workers: z.number(),
  seconds: z.number(),
  tokens: z.number(),
  /** Requests that were not answered with 200. */
  failed: z.number(),
  /** The resident set of the service after so many requests. */
  samples: z.array(z.object({ requests: z.number(), rssBytes: z.number() })),
});

/** Many requests, and what became of the service's memory. */
export type SoakResult = z.infer<typeof soakSchema>;
