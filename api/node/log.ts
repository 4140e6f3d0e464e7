import { setTimeout } from "node:timers/promises";
import { destination, pino, stdTimeFunctions } from "pino";
import type { AnsweredRequest, Observer } from "../observer.ts";
import { version } from "../version.ts";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** Routes that load balancers and scrapers request every few seconds. Logged at level debug. */
const probes = new Set(["/health", "/metrics"]);

/** Maximum bytes of buffered lines. */
const maxWaiting = 1024 * 1024;

/** Logs requests, encoder events and the service's lifecycle. */
export interface Log extends Observer {
  /** @param event.open whether the API is reachable from other machines without a key */
  onStart(event: { readonly url: string; readonly open: boolean }): void;
  onStop(event: { readonly signal: string }): void;
  /** @param event.unanswered requests that did not complete before shutdown */
  onStopped(event: { readonly unanswered: number }): void;
  /** Resolves to whether all lines were written within `timeout` ms. If not, a normal exit would wait for the reader. */
  flush(timeout: number): Promise<boolean>;
}

/** Buffer size in bytes and flush interval in ms. A system call per line would add 0.25 ms to a query. */
const buffered = { minLength: 4_096, periodicFlush: 100 };

/**
 * Creates a log that writes one JSON line per event to stdout within 100 ms. Buffered lines are written when the process exits. When the
 * buffer exceeds 1 MiB, new lines are dropped; a later line reports their number.
 */
export function createLog(level: LogLevel): Log {
  // Asynchronous: a slow reader must not block the event loop.
  const output = destination({ dest: 1, sync: false, maxLength: maxWaiting, ...buffered });
  process.once("exit", () => output.flushSync());
  const log = pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    output,
  );
  let dropped = 0;
  output.on("drop", () => {
    dropped += 1;
  });
  output.on("drain", () => {
    const lines = dropped;
    dropped = 0;
    if (lines > 0) log.warn({ lines }, "log lines dropped");
  });
  return {
    onStart: ({ url, open }) => log[open ? "warn" : "info"]({ version, url, open }, "started"),
    onStop: ({ signal }) => log.info({ signal }, "stopping"),
    onStopped: ({ unanswered }) => log[unanswered > 0 ? "warn" : "info"]({ unanswered }, "stopped"),
    onRequest(request) {
      const { work, ms, ...rest } = request;
      log[levelOf(request)](
        { ...rest, ms: rounded(ms), ...(work && { ...work, queue: rounded(work.queue), inference: rounded(work.inference) }) },
        "request",
      );
    },
    onFault({ id, route }, error) {
      log.error({ id, route, ...placeOf(error) }, "fault");
    },
    onLoad: ({ ms, device }) => log.info({ ms: rounded(ms), device }, "model loaded"),
    onLoadFailure: ({ code }) => log.error({ code }, "model not loaded"),
    onRestart: ({ code }) => log.warn({ code }, "worker replaced"),
    async flush(timeout) {
      const drained = new Promise<boolean>((resolve) => output.once("drain", () => resolve(true)));
      // The empty write triggers `drain` even if the buffer is empty.
      output.write("");
      output.flush();
      return Promise.race([drained, setTimeout(timeout, false)]);
    },
  };
}

function levelOf({ route, status }: AnsweredRequest): Exclude<LogLevel, "silent"> {
  if (status >= 500) return "error";
  return probes.has(route) && status < 400 ? "debug" : "info";
}

/** An error's name and stack without its message, which may quote the request (`JSON.parse` does). */
function placeOf(error: unknown): { error: string; stack?: string[] } {
  if (!(error instanceof Error)) return { error: typeof error };
  // Lines of the message may look like stack frames.
  const frames = (error.stack ?? "")
    .replace(error.message, "")
    .split("\n")
    .filter((line) => /^ {4}at /.test(line));
  return { error: error.name, stack: frames.map((line) => line.trim()) };
}

const rounded = (ms: number) => Math.round(ms * 100) / 100;
