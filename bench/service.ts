/** The HTTP service from a client's view: single queries, eight clients, and queries during bulk requests; and memory per worker. */
import autocannon from "autocannon";
import { z } from "zod";
import { createEncoder } from "../api/node/encoder.ts";
import { claimThat, defineBenchmark, log, type Plan } from "./benchmark.ts";
import { cranfieldDocuments, cranfieldQueries, textsOf } from "./cranfield.ts";
import { describeEnvironment, environmentSchema } from "./environment.ts";
import { ServiceProcess } from "./service-process.ts";
import { formatEach, percentiles, table } from "./statistics.ts";
import { memoryOf } from "./usage.ts";

/** In ms. */
const latencySchema = z.object({ p50: z.number(), p95: z.number() });

const roundSchema = z.object({
  /** One query at a time: by the pool without HTTP, and by the service. */
  pool: latencySchema,
  idle: latencySchema,
  /** Queries per second from eight clients. */
  eightClients: z.number(),
  /** One query at a time while four clients send bulk requests, and the texts per second of the bulk requests. */
  underBulk: latencySchema,
  bulkTexts: z.number(),
  /** Number of responses other than 200. */
  failed: z.number(),
  /** Resident memory per additional worker; null if the platform does not report it. */
  workerBytes: z.number().nullable(),
});

const schema = z.object({ environment: environmentSchema, workers: z.number(), rounds: z.array(roundSchema).min(1) });

type Round = z.infer<typeof roundSchema>;

const workers = 2;
const bulk = { clients: 4, texts: 8 };

/** Numbers its texts, so that none is cached. */
type NextText = () => string;

async function measure({ command, rounds: count, quick }: Plan): Promise<z.infer<typeof schema>> {
  const queries = numbered(textsOf(await cranfieldQueries()));
  const abstracts = numbered(textsOf(await cranfieldDocuments()));
  const seconds = quick ? 3 : 15;
  const rounds: Round[] = [];
  for (let round = 0; round < count; round++) {
    const found = await measureRound(queries, abstracts, seconds);
    rounds.push(found);
    log(`round ${round + 1} of ${count}: query p50 ${found.idle.p50.toFixed(1)} ms, pool ${found.pool.p50.toFixed(1)} ms`);
  }
  return { environment: await describeEnvironment(command, ["onnxruntime-node", "hono"]), workers, rounds };
}

async function measureRound(queries: NextText, abstracts: NextText, seconds: number): Promise<Round> {
  const pool = await measurePool(queries, seconds);
  await using service = await ServiceProcess.start({ WORKERS: String(workers) });
  await service.embed(Array.from({ length: 100 }, queries));
  const url = `${service.url}/embed`;
  const query = () => [queries()];
  const idle = await send(url, 1, seconds, query);
  const eight = await send(url, 8, seconds, query);
  const [single, batches] = await Promise.all([
    send(url, 1, seconds, query),
    send(url, bulk.clients, seconds, () => Array.from({ length: bulk.texts }, abstracts)),
  ]);
  return {
    pool,
    idle: percentiles(idle.milliseconds),
    eightClients: eight.milliseconds.length / seconds,
    underBulk: percentiles(single.milliseconds),
    bulkTexts: (batches.milliseconds.length * bulk.texts) / seconds,
    failed: [idle, eight, single, batches].reduce((sum, { failed }) => sum + failed, 0),
    workerBytes: await measureWorkerBytes(queries),
  };
}

async function measurePool(queries: NextText, seconds: number): Promise<z.infer<typeof latencySchema>> {
  const encoder = createEncoder({ workers });
  try {
    await encoder.embed(Array.from({ length: 100 }, queries));
    const times: number[] = [];
    for (const end = performance.now() + seconds * 1e3; performance.now() < end; ) {
      const start = performance.now();
      await encoder.embed(queries());
      times.push(performance.now() - start);
    }
    return percentiles(times);
  } finally {
    await encoder.dispose();
  }
}

/** Difference in memory (PSS) between three workers and one, after each worker has embedded. */
async function measureWorkerBytes(queries: NextText): Promise<number | null> {
  const residentWith = async (count: number) => {
    await using service = await ServiceProcess.start({ WORKERS: String(count), INTERACTIVE_WORKERS: "0" });
    await service.embed(Array.from({ length: 300 }, queries));
    return memoryOf(service.id)?.resident ?? null;
  };
  const [one, three] = [await residentWith(1), await residentWith(3)];
  return one === null || three === null ? null : (three - one) / 2;
}

function numbered(texts: readonly string[]): NextText {
  let handedOut = 0;
  return () => `${handedOut} ${texts[handedOut++ % texts.length]}`;
}

/**
 * Clients that send their next request after the last response. For a single client, the pending request at the end counts with the time
 * that it has waited. Otherwise a slow service would be judged by its early responses.
 */
async function send(url: string, clients: number, seconds: number, texts: () => readonly string[]) {
  const milliseconds: number[] = [];
  let failed = 0;
  let sent = 0;
  const setupRequest = (request: autocannon.Request) => {
    sent = performance.now();
    return { ...request, body: JSON.stringify({ inputs: texts() }) };
  };
  const requests: autocannon.Request[] = [{ method: "POST", headers: { "content-type": "application/json" }, setupRequest }];
  await new Promise<void>((resolve, reject) => {
    const options = { url, connections: clients, duration: seconds, timeout: 120, requests };
    const instance = autocannon(options, (error) => (error ? reject(error) : resolve()));
    instance.on("response", (_client, status, _bytes, ms) => {
      if (status === 200) milliseconds.push(ms);
      else failed += 1;
    });
  });
  if (clients === 1) milliseconds.push(performance.now() - sent);
  return { milliseconds, failed };
}

export const service = defineBenchmark({
  name: "service",
  schema,
  measure,
  report({ workers, rounds }) {
    const figure = (digits: number, of: (round: Round) => number | null) => formatEach(rounds, of, digits);
    const overhead = rounds.map(({ idle, pool }) => idle.p50 - pool.p50);
    const slowdown = rounds.map(({ idle, underBulk }) => underBulk.p95 / idle.p95);
    const rows = [
      ["A query, p50, by the pool without HTTP", `${figure(1, ({ pool }) => pool.p50)} ms`],
      ["A query, p50", `${figure(1, ({ idle }) => idle.p50)} ms`],
      ["A query, p95", `${figure(1, ({ idle }) => idle.p95)} ms`],
      ["Queries per second, eight clients", figure(0, ({ eightClients }) => eightClients)],
      ["A query under bulk, p50", `${figure(1, ({ underBulk }) => underBulk.p50)} ms`],
      ["A query under bulk, p95", `${figure(1, ({ underBulk }) => underBulk.p95)} ms`],
      ["Bulk texts per second meanwhile", figure(1, ({ bulkTexts }) => bulkTexts)],
      ["Memory per worker", `${figure(0, ({ workerBytes }) => workerBytes && workerBytes / 1e6)} MB`],
      ["Failed requests", figure(0, ({ failed }) => failed)],
    ];
    return {
      title: "The service",
      sections: [
        `${workers} workers and the one for interactive requests, ${rounds.length} rounds, clients on the same machine. Bulk: ${bulk.clients} clients with ${bulk.texts} abstracts per request.`,
        table(["", "measured"], rows),
      ],
      claims: [
        ...claimThat("A query's p50 over HTTP is at most 1.3 ms above the pool's own", overhead, { most: 1.3, unit: "ms" }),
        ...claimThat("Under bulk, a query's p95 is at most 3 times its idle one", slowdown, { most: 3 }),
      ],
    };
  },
});
