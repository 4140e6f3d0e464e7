import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Load, Observer } from "../observer.ts";

/** Histogram buckets in seconds, from a cached vector to a bulk request at its timeout. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface Metrics {
  readonly observer: Required<Pick<Observer, "onRequest" | "onLoad" | "onLoadFailure" | "onRestart" | "onLookup">>;
  /** Current metrics in Prometheus text format. */
  exposition(): Promise<Response>;
}

/**
 * Creates the Prometheus metrics, including those of the process such as event-loop lag (`nodejs_eventloop_lag_*`).
 * @param load called at each scrape
 */
export function createMetrics(load: () => Load): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });

  const requests = new Counter({
    name: "samevec_requests_total",
    help: "Requests by method, route pattern and status. Status 499: the client disconnected before the response.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "samevec_request_duration_seconds",
    help: "Time from the arrival of a request to the response headers.",
    labelNames: ["route", "status"],
    buckets,
    registers,
  });
  const queueTime = new Histogram({
    name: "samevec_queue_duration_seconds",
    help: "Time in the queue, averaged over the texts of a request.",
    buckets,
    registers,
  });
  const inferenceTime = new Histogram({
    name: "samevec_inference_duration_seconds",
    help: "Inference time, averaged over the texts of a request.",
    buckets,
    registers,
  });
  const texts = new Counter({ name: "samevec_texts_total", help: "Embedded texts, including cached ones.", registers });
  const tokens = new Counter({ name: "samevec_tokens_total", help: "Tokens of embedded texts, after truncation.", registers });
  const lookups = new Counter({
    name: "samevec_cache_lookups_total",
    help: "Texts by cache result: cached (hit), being computed for another request (joined), or computed (miss).",
    labelNames: ["result"],
    registers,
  });
  for (const result of ["hit", "joined", "miss"]) lookups.inc({ result }, 0); // Rates need an initial 0.
  const loads = new Counter({
    name: "samevec_model_loads_total",
    help: "Model loads by workers.",
    registers,
  });
  const loadFailures = new Counter({
    name: "samevec_model_load_failures_total",
    help: "Failed model loads by error code.",
    labelNames: ["code"],
    registers,
  });
  const restarts = new Counter({
    name: "samevec_worker_restarts_total",
    help: "Replaced workers by error code: died, timed out or failed.",
    labelNames: ["code"],
    registers,
  });
  for (const code of ["worker_died", "timeout", "inference_failed"]) restarts.inc({ code }, 0);
  const refusals = new Counter({
    name: "samevec_refused_requests_total",
    help: "Requests rejected because the queue was full.",
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
  gauge("samevec_queue_texts", "Queued and running texts.", ({ queuedTexts }) => queuedTexts);
  gauge("samevec_queue_tokens", "Estimated tokens of queued and running texts.", ({ queuedTokens }) => queuedTokens);
  gauge("samevec_workers_ready", "Ready workers.", ({ workers }) => workers.ready);
  gauge("samevec_workers_wanted", "Configured workers.", ({ workers }) => workers.size);
  new Gauge({
    name: "samevec_device_workers",
    help: "Ready workers by device.",
    labelNames: ["device"],
    registers,
    collect() {
      this.reset();
      const { device, workers } = load();
      if (device) this.set({ device }, workers.ready);
    },
  });
  gauge("samevec_cache_bytes", "Memory of cached vectors in bytes.", ({ cacheBytes }) => cacheBytes);
  gauge("samevec_open_connections", "Open client connections.", ({ connections }) => connections.open);
  new Counter({
    name: "samevec_dropped_connections_total",
    help: "Connections dropped at the connection limit.",
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
