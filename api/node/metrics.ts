import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Load, Observer } from "../observer.ts";

/** Seconds: from a cached vector to a bulk request at its deadline. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface Metrics {
  readonly observer: Required<Pick<Observer, "onRequest" | "onLoad" | "onLoadFailure" | "onRestart" | "onLookup">>;
  /** All of them in Prometheus' text form, as of now. */
  exposition(): Promise<Response>;
}

/**
 * Counts what it is told. The process's own metrics, event-loop delay among them (`nodejs_eventloop_lag_*`), come with it.
 * @param load asked at each exposition
 */
export function createMetrics(load: () => Load): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });

  const requests = new Counter({
    name: "samevec_requests_total",
    help: "Requests answered, by route pattern and status; 499 where the client hung up first.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "samevec_request_duration_seconds",
    help: "From a request's arrival to its answer's headers.",
    labelNames: ["route", "status"],
    buckets,
    registers,
  });
  const queueTime = new Histogram({
    name: "samevec_queue_duration_seconds",
    help: "What the texts of a request waited for a worker, on average.",
    buckets,
    registers,
  });
  const inferenceTime = new Histogram({
    name: "samevec_inference_duration_seconds",
    help: "What the model took for a text of a request, on average.",
    buckets,
    registers,
  });
  const texts = new Counter({ name: "samevec_texts_total", help: "Texts answered with a vector.", registers });
  const tokens = new Counter({ name: "samevec_tokens_total", help: "Tokens of these texts, after any cut.", registers });
  const lookups = new Counter({
    name: "samevec_cache_lookups_total",
    help: "Texts by where their vector came from: the cache (hit), a computation under way (joined), or a new one (miss).",
    labelNames: ["result"],
    registers,
  });
  for (const result of ["hit", "joined", "miss"]) lookups.inc({ result }, 0); // A first event is a rise only from 0.
  const loads = new Counter({
    name: "samevec_model_loads_total",
    help: "Times that a worker has loaded the model: one per worker, however many callers came first.",
    registers,
  });
  const loadFailures = new Counter({
    name: "samevec_model_load_failures_total",
    help: "Times that a worker could not load the model.",
    labelNames: ["code"],
    registers,
  });
  const restarts = new Counter({
    name: "samevec_worker_restarts_total",
    help: "Workers that were replaced because they died, hung or failed.",
    labelNames: ["code"],
    registers,
  });
  for (const code of ["worker_died", "timeout", "inference_failed"]) restarts.inc({ code }, 0);
  const refusals = new Counter({
    name: "samevec_refused_requests_total",
    help: "Requests refused because the queue was full.",
    registers,
  });

  const gauge = (name: string, help: string, value: (load: Load) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(load()));
      },
    });
  gauge("samevec_queue_texts", "Texts that wait or are computed.", ({ queuedTexts }) => queuedTexts);
  gauge("samevec_queue_tokens", "Their tokens.", ({ queuedTokens }) => queuedTokens);
  gauge("samevec_workers_ready", "Workers that can answer.", ({ workers }) => workers.ready);
  gauge("samevec_workers_wanted", "Workers that there should be.", ({ workers }) => workers.size);
  new Gauge({
    name: "samevec_device_workers",
    help: "Workers that have loaded the model, by the device that computes it.",
    labelNames: ["device"],
    registers,
    collect() {
      this.reset();
      const { device, workers } = load();
      if (device) this.set({ device }, workers.ready);
    },
  });
  gauge("samevec_cache_bytes", "Memory of the cached vectors.", ({ cacheBytes }) => cacheBytes);
  gauge("samevec_open_connections", "Connections of clients.", ({ connections }) => connections.open);
  new Counter({
    name: "samevec_dropped_connections_total",
    help: "Connections that were closed at once because there were too many.",
    registers,
    collect() {
      this.reset();
      this.inc(load().connections.dropped);
    },
  });

  return {
    observer: {
      onRequest({ method, route, status, ms, work, code }) {
        if (code === "overloaded") refusals.inc();
        requests.inc({ method, route, status });
        duration.observe({ route, status }, ms / 1000);
        if (!work) return;
        texts.inc(work.texts);
        tokens.inc(work.tokens);
        queueTime.observe(work.queue / 1000);
        inferenceTime.observe(work.inference / 1000);
      },
      onLoad: () => loads.inc(),
      onLoadFailure: ({ code }) => loadFailures.inc({ code }),
      onRestart: ({ code }) => restarts.inc({ code }),
      onLookup({ hits, joined, misses }) {
        lookups.inc({ result: "hit" }, hits);
        lookups.inc({ result: "joined" }, joined);
        lookups.inc({ result: "miss" }, misses);
      },
    },
    exposition: async () => new Response(await register.metrics(), { headers: { "content-type": register.contentType } }),
  };
}
