import autocannon from "autocannon";
import { Child } from "./child.ts";
import { type PythonPeers, pythonProgram } from "./peers/install.ts";
import type { FastapiResult, RivalWindow } from "./results.ts";
import type { ServiceReport } from "./service-child.ts";
import { rotated } from "./statistics.ts";

export interface FastapiOptions {
  readonly python: PythonPeers;
  readonly abstracts: readonly string[];
  readonly queries: readonly string[];
  readonly rounds: number;
  /** How long each load lasts. */
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

type Round = FastapiResult["rounds"][number];

interface Rival {
  readonly id: string;
  readonly label: string;
  readonly start: () => Promise<{ child: Child; url: string }>;
}

/** Ours has so many workers, the other one's torch so many threads. */
const cores = 2;
/** Clients that send bulk requests, each its next one when the last is answered; and how many abstracts in each. */
const bulkClients = 4;
const bulkTexts = 8;
/** Requests for `/health` each second. */
const healthRate = 20;
/** In s: a service without a limit on its queue lets a request wait for all that came before it. */
const patience = 120;

/**
 * Our service and a FastAPI service around sentence-transformers under the same load, in turns, by the same load generator. A
 * refusal where the Python peers are not there.
 */
export async function compareServices({ python, rounds, onProgress, ...load }: FastapiOptions) {
  const program = pythonProgram(python, "peers", "service.py");
  if ("refusal" in program) return program;
  const rivals: readonly Rival[] = [
    { id: "samevec", label: `**Samevec, ${cores} workers**`, start: () => started(new Child("service-child.js"), { workers: cores }) },
    {
      id: "fastapi",
      label: "FastAPI, `asyncio.to_thread` and a lock around sentence-transformers",
      start: () => started(new Child(program), { threads: cores, models: python.models }),
    },
  ];
  const seen: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { id, start } of rotated(rivals, round)) {
      const { child, url } = await start();
      await using _ = child;
      seen.push({ service: id, round, ...(await watchUnderLoad(child, url, load)) });
      onProgress(`round ${round + 1} of ${rounds}, fastapi, ${id}: ${seen.at(-1)?.bulk.throughput.toFixed(1)} texts/s`);
    }
  }
  return { services: rivals.map(({ id, label }) => ({ id, label })), rounds: seen };
}

async function started(child: Child, settings: object): Promise<{ child: Child; url: string }> {
  const { url } = await child.ask<{ url: string }>({ do: "start", ...settings });
  await child.ask({ do: "load" });
  return { child, url };
}

async function watchUnderLoad(
  child: Child,
  url: string,
  { abstracts, queries, seconds }: Pick<FastapiOptions, "abstracts" | "queries" | "seconds">,
): Promise<Pick<Round, "idle" | "bulk" | "peakBytes">> {
  let asked = 0;
  /** Numbered, so that no cache knows it. */
  const numbered = (texts: readonly string[]) => `${asked} ${texts[asked++ % texts.length]}`;
  const query = () => [numbered(queries)];
  const bulk = () => Array.from({ length: bulkTexts }, () => numbered(abstracts));

  const watch = async (clients: number): Promise<RivalWindow> => {
    await child.ask({ do: "report" }); // begins a new watch
    const [health, single, batches] = await Promise.all([
      fire({ url: `${url}/health`, connections: 1, overallRate: healthRate }, seconds),
      fire({ url: `${url}/embed`, connections: 1 }, seconds, query),
      clients > 0 ? fire({ url: `${url}/embed`, connections: clients }, seconds, bulk) : [],
    ]);
    const { loopDelay } = await child.ask<ServiceReport>({ do: "report" });
    const answers: Record<string, number> = {};
    for (const { status } of [health, single, batches].flat()) if (status !== null) answers[status] = (answers[status] ?? 0) + 1;
    const served = batches.filter(({ status }) => status === 200);
    return {
      query: percentilesOf(single, seconds),
      health: percentilesOf(health, seconds),
      loopDelay,
      throughput: (served.length * bulkTexts) / seconds,
      answers,
    };
  };

  await fire({ url: `${url}/embed`, connections: 1 }, 1, bulk);
  const idle = await watch(0);
  const busy = await watch(bulkClients);
  const { peakBytes } = await child.ask<ServiceReport>({ do: "report" });
  return { idle, bulk: busy, peakBytes };
}

interface Answered {
  /** Null where it had no answer at the end, and had waited so long. */
  readonly status: number | null;
  readonly ms: number;
}

/**
 * autocannon for so long. Each request has a body of its own where `texts` says which. A single client's last request counts with
 * what it had waited by the end: a service that answers late would else be judged by what it answered early.
 */
async function fire(
  options: { readonly url: string; readonly connections: number; readonly overallRate?: number },
  seconds: number,
  texts?: () => readonly string[],
): Promise<Answered[]> {
  const answered: Answered[] = [];
  let sent: number | null = null;
  const settings: autocannon.Options = {
    ...options,
    duration: seconds,
    timeout: patience,
    ...(texts && {
      requests: [
        {
          method: "POST",
          headers: { "content-type": "application/json" },
          setupRequest: (request) => {
            sent = performance.now();
            return { ...request, body: JSON.stringify({ inputs: texts() }) };
          },
        },
      ],
    }),
  };
  await new Promise<void>((resolve, reject) => {
    const instance = autocannon(settings, (error) => (error ? reject(error) : resolve()));
    instance.on("response", (_client, status, _bytes, ms) => answered.push({ status, ms }));
  });
  if (sent !== null && options.connections === 1) answered.push({ status: null, ms: performance.now() - sent });
  return answered;
}

/** In ms, of the answers with 200 and of what had no answer yet; of nothing, it is as long as was waited. */
function percentilesOf(answers: readonly Answered[], seconds: number): RivalWindow["query"] {
  const sorted = answers
    .filter(({ status }) => status === 200 || status === null)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? seconds * 1e3;
  return { requests: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
