import { createHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.ts";
import type { ServiceResult, ServiceWindow } from "./results.ts";
import type { ServiceMessage, ServiceReport } from "./service-child.ts";

type Round = ServiceResult["rounds"][number];

/** Between two requests for `/health`, in ms. */
const healthPause = 5;
/** How long the service is watched with nothing to do, in ms: enough for a percentile. */
const idleTime = 2_000;

/**
 * One life of the service, seen by a client in another process: what it is like to ask for `/health`, and how late the
 * event loop runs, while the model loads, while nothing happens, and while one request embeds all texts.
 */
export async function watchService(texts: readonly string[], workers: number): Promise<Round> {
  await using child = new Child("service-child.js");
  const ask = <Answer = object>(message: ServiceMessage) => child.ask<Answer>(message);
  const { url } = await ask<{ url: string }>({ do: "start", workers });
  let peakBytes = 0;

  const watch = async (task: () => Promise<unknown>): Promise<ServiceWindow> => {
    await ask({ do: "report" }); // begins a new watch; what the last one saw is not this task's
    const start = performance.now();
    const health = await pollHealth(url, task);
    const seconds = (performance.now() - start) / 1e3;
    const report = await ask<ServiceReport>({ do: "report" });
    peakBytes = Math.max(peakBytes, report.peakBytes);
    return { seconds, health, loopDelay: report.loopDelay };
  };

  const loading = await watch(() => ask({ do: "load" }));
  const idle = await watch(() => sleep(idleTime));
  const embedding = await watch(() => embed(url, texts));
  return { loading, idle, embedding, peakBytes };
}

/** Asks for `/health` again and again until `task` is done. */
async function pollHealth(url: string, task: () => Promise<unknown>): Promise<ServiceWindow["health"]> {
  const microseconds = createHistogram();
  let done = false;
  const finished = task().finally(() => {
    done = true;
  });
  while (!done) {
    const start = performance.now();
    const response = await fetch(`${url}/health`);
    await response.arrayBuffer();
    microseconds.record(Math.max(1, Math.round((performance.now() - start) * 1e3)));
    if (!response.ok) throw new Error(`/health answered ${response.status}`);
    await sleep(healthPause);
  }
  await finished;
  const ms = (value: number) => value / 1e3;
  return {
    requests: microseconds.count,
    p50: ms(microseconds.percentile(50)),
    p99: ms(microseconds.percentile(99)),
    max: ms(microseconds.max),
  };
}

async function embed(url: string, texts: readonly string[]): Promise<void> {
  const response = await fetch(`${url}/embed`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ inputs: texts }),
  });
  // Read, but not parsed: parsing would hold up the client's own requests for /health.
  const body = await response.arrayBuffer();
  if (!response.ok) throw new Error(`/embed answered ${response.status}: ${new TextDecoder().decode(body.slice(0, 500))}`);
}
