import { setTimeout } from "node:timers/promises";
import { destination, pino, stdTimeFunctions } from "pino";
import type { AnsweredRequest, Observer } from "../observer.ts";
import { version } from "../version.ts";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** What load balancers and scrapers ask every few seconds: of interest only to who looks for them. */
const probes = new Set(["/health", "/metrics"]);

/** The most bytes of lines that wait for a slow reader. */
const maxWaiting = 1024 * 1024;

/** Told of the requests and the encoder, as other observers are, and of the service itself. */
export interface Log extends Observer {
  /** @param event.open whether the API asks for no key and others than this machine reach it */
  onStart(event: { readonly url: string; readonly open: boolean }): void;
  onStop(event: { readonly signal: string }): void;
  /** @param event.unanswered requests that were not computed in time */
  onStopped(event: { readonly unanswered: number }): void;
  /** Whether all lines were written within `timeout` ms. Where they were not, the process would wait for their reader to end. */
  flush(timeout: number): Promise<boolean>;
}

/** Lines are written together: a system call for each costs a query a quarter of a millisecond. Bytes, and ms. */
const buffered = { minLength: 4_096, periodicFlush: 100 };

/**
 * Writes to stdout, one line of JSON per event, within 100 ms. Buffered lines are written when the process exits. Beyond a megabyte of
 * them new ones are dropped, and a line tells how many once there is room again.
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
      // Writes what is buffered. Without anything buffered, the empty line makes `drain` come nevertheless.
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

/** Where an error came from, without its message: that may quote the request (`JSON.parse` does). */
function placeOf(error: unknown): { error: string; stack?: string[] } {
  if (!(error instanceof Error)) return { error: typeof error };
  // A message of several lines may look like frames.
  const frames = (error.stack ?? "")
    .replace(error.message, "")
    .split("\n")
    .filter((line) => /^ {4}at /.test(line));
  return { error: error.name, stack: frames.map((line) => line.trim()) };
}

const rounded = (ms: number) => Math.round(ms * 100) / 100;
