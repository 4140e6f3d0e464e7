import { setTimeout as sleep } from "node:timers/promises";
import type { Latency } from "./results.ts";

/** What became of a request. */
export interface Answer {
  readonly texts: number;
  /** Null where there was none. */
  readonly status: number | null;
  readonly ms: number;
  /** In s, where the service named it. */
  readonly retryAfter: number | null;
}

/** One `POST /embed`. */
export async function ask(url: string, texts: readonly string[]): Promise<Answer> {
  const start = performance.now();
  const answer = (status: number | null, retryAfter: string | null = null): Answer => ({
    texts: texts.length,
    status,
    ms: performance.now() - start,
    retryAfter: retryAfter === null ? null : Number(retryAfter),
  });
  try {
    const response = await fetch(`${url}/embed`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: texts }),
    });
    // Read, but not parsed: parsing would hold up the client's other requests.
    await response.arrayBuffer();
    return answer(response.status, response.headers.get("retry-after"));
  } catch {
    return answer(null);
  }
}

/** Clients that each send their next request when the last one is answered, until `signal` aborts. Gives all answers. */
export async function askInTurn(
  url: string,
  { clients, pause = 0, next, signal }: { clients: number; pause?: number; next: () => readonly string[]; signal: AbortSignal },
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const client = async () => {
    while (!signal.aborted) {
      answers.push(await ask(url, next()));
      if (pause > 0) await sleep(pause);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return answers;
}

/** Sends requests at `rate` texts a second for so many seconds, whatever becomes of them. Gives all answers. */
export async function askAtRate(
  url: string,
  { rate, seconds, next }: { rate: number; seconds: number; next: () => readonly string[] },
): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  const start = performance.now();
  for (let sent = 0; sent < rate * seconds; ) {
    await sleep(start + (sent / rate) * 1e3 - performance.now());
    const texts = next();
    sent += texts.length;
    answers.push(ask(url, texts));
  }
  return Promise.all(answers);
}

/** Throws `RangeError` where there are none. */
export function latencyOf(answers: readonly Answer[]): Latency {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const percentile = (share: number) => {
    const ms = sorted[Math.ceil(share * sorted.length) - 1];
    if (ms === undefined) throw new RangeError("latencyOf: there is no percentile of no answers");
    return ms;
  };
  return { requests: sorted.length, p50: percentile(0.5), p95: percentile(0.95), max: percentile(1) };
}

export const textsOf = (answers: readonly Answer[]) => answers.reduce((sum, { texts }) => sum + texts, 0);
