import { Child } from "./child.ts";
import { type Answer, ask, askAtRate, askInTurn, latencyOf, textsOf } from "./client.ts";
import type { LoadRound } from "./results.ts";
import type { ServiceMessage } from "./service-child.ts";

export interface LoadOptions {
  readonly abstracts: readonly string[];
  readonly queries: readonly string[];
  readonly workers: number;
  /** How long the service is overloaded. The rest of a round takes two thirds of it. */
  readonly seconds: number;
}

/** Bulk clients that wait for each answer: more requests than workers, so that none is ever idle. */
const bulkClients = 8;
/** The most texts of a bulk request. */
const mostTexts = 16;
/** Between two queries of the one who asks, in ms. */
const queryPause = 50;
/** How many times its capacity the service is sent. */
const excess = 2;

/**
 * One life of the service, loaded from another process: what a single query takes while nothing else is asked for, and
 * while bulk requests keep all workers busy; then twice as many texts as it can embed.
 */
export async function measureLoad({ abstracts, queries, workers, seconds }: LoadOptions): Promise<LoadRound> {
  await using child = new Child("service-child.js");
  const tell = <Reply>(message: ServiceMessage) => child.ask<Reply>(message);
  const { url } = await tell<{ url: string }>({ do: "start", workers });
  await tell({ do: "load" });

  let asked = 0;
  /** Numbered, so that none is in the cache. */
  const numbered = (texts: readonly string[]) => `${asked} ${texts[asked++ % texts.length]}`;
  const nextQuery = () => [numbered(queries)];
  let sizes = 0;
  /** Of all sizes, in an order that jumps about: 7 has no divisor in common with their number. */
  const nextBulk = () => Array.from({ length: 1 + ((sizes++ * 7) % mostTexts) }, () => numbered(abstracts));
  const query = (signal: AbortSignal) => askInTurn(url, { clients: 1, pause: queryPause, next: nextQuery, signal });
  const bulk = (signal: AbortSignal) => askInTurn(url, { clients: bulkClients, next: nextBulk, signal });

  await ask(url, nextBulk());
  const idle = await query(AbortSignal.timeout((seconds * 1e3) / 6));

  const saturated = AbortSignal.timeout((seconds * 1e3) / 3);
  const start = performance.now();
  const [busy, computed] = await Promise.all([query(saturated), bulk(saturated)]);
  const capacity = textsOf(withStatus(computed, 200)) / ((performance.now() - start) / 1e3);

  const overload = await overloadWith(url, { rate: capacity * excess, seconds, next: nextBulk });
  return { idle: latencyOf(withStatus(idle, 200)), busy: latencyOf(withStatus(busy, 200)), capacity, overload };
}

async function overloadWith(
  url: string,
  { rate, seconds, next }: { rate: number; seconds: number; next: () => readonly string[] },
): Promise<LoadRound["overload"]> {
  const start = performance.now();
  const answers = await askAtRate(url, { rate, seconds, next });
  const took = (performance.now() - start) / 1e3; // until the last of them was answered
  const counts: Record<string, number> = {};
  for (const { status } of answers) if (status !== null) counts[status] = (counts[status] ?? 0) + 1;
  const served = withStatus(answers, 200);
  return {
    seconds,
    answers: counts,
    lost: answers.filter(({ status }) => status === null).length,
    offered: textsOf(answers) / seconds,
    served: textsOf(served) / took,
    latency: latencyOf(served),
    retryAfter: withStatus(answers, 429).map(({ retryAfter }) => retryAfter ?? 0),
  };
}

const withStatus = (answers: readonly Answer[], wanted: number) => answers.filter(({ status }) => status === wanted);
