import { Child } from "./child.ts";
import { ask } from "./client.ts";
import type { SoakResult } from "./results.ts";
import type { ServiceMessage, ServiceReport } from "./service-child.ts";

export interface SoakOptions {
  readonly abstracts: readonly string[];
  readonly workers: number;
  readonly requests: number;
  readonly countTokens: (texts: readonly string[]) => number;
}

/** Who send their next request when the last one is answered. */
const clients = 8;
const samples = 40;
const fewestWords = 3;
const mostWords = 250;

/**
 * Sends requests of one text each, all different and of all lengths, and looks at the service's memory now and then.
 * Short texts are as many as long ones on a logarithmic scale: as in life, and it lets 20,000 pass in minutes.
 */
export async function soak({ abstracts, workers, requests, countTokens }: SoakOptions): Promise<Omit<SoakResult, "environment">> {
  const words = abstracts.join(" ").split(/\s+/);
  const textAt = (index: number) => {
    const length = Math.round(fewestWords * (mostWords / fewestWords) ** scattered(index));
    const start = Math.floor(scattered(index * 7) * (words.length - length));
    return [index, ...words.slice(start, start + length)].join(" ");
  };

  await using child = new Child("service-child.js");
  const tell = <Reply>(message: ServiceMessage) => child.ask<Reply>(message);
  const { url } = await tell<{ url: string }>({ do: "start", workers });
  await tell({ do: "load" });

  const seen: { requests: number; rssBytes: number }[] = [];
  const start = performance.now();
  let sent = 0;
  let failed = 0;
  let tokens = 0;
  for (let sample = 1; sample <= samples; sample++) {
    const end = Math.round((requests * sample) / samples);
    const client = async () => {
      while (sent < end) {
        const text = textAt(sent++);
        tokens += countTokens([text]);
        const { status } = await ask(url, [text]);
        if (status !== 200) failed += 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    const { rssBytes } = await tell<ServiceReport>({ do: "report" });
    seen.push({ requests: sent, rssBytes });
  }
  return { workers, seconds: (performance.now() - start) / 1e3, tokens, failed, samples: seen };
}

/** Evenly between 0 and 1, in an order that jumps about: the multiples of the golden ratio. */
function scattered(index: number): number {
  return (index * 0.6180339887498949) % 1;
}
