import { type BrowserOptions, compareInBrowser, compareOnWebgpu } from "./browser.ts";
import { measureRatios } from "./check.ts";
import { compare } from "./compare.ts";
import type { AnyContender } from "./contender-process.ts";
import { encoders, growthContenders } from "./contenders/all.ts";
import type { PeerModel } from "./contenders/contender.ts";
import { pythonContenders } from "./contenders/python.ts";
import { type Collection, cranfieldCollection, type TextSet } from "./cranfield.ts";
import type { DeviceId } from "./devices/device.ts";
import { measureDimensions } from "./dimensions.ts";
import { measureEdge } from "./edge.ts";
import { measureEngine } from "./engine.ts";
import { describeEnvironment, tokenCounter } from "./environment.ts";
import type { Environment } from "./environment-schema.ts";
import { compareServices } from "./fastapi.ts";
import { goldenRows } from "./golden.ts";
import { measureGrowth } from "./growth.ts";
import type { Results } from "./kept-results.ts";
import { measureLoad } from "./load.ts";
import { acrossDevices } from "./matrix.ts";
import { measurePageUse } from "./page-use.ts";
import type { PythonPeers } from "./peers/install.ts";
import type {
  BrowserComparison,
  Comparison,
  DimensionsResult,
  EdgeResult,
  FastapiResult,
  Growth,
  LoadResult,
  ServiceResult,
  SoakResult,
  WebgpuResult,
} from "./results.ts";
import { measureSearch } from "./search.ts";
import { watchService } from "./service.ts";
import { soak } from "./soak.ts";
import { measureStart } from "./start.ts";
import { mixedTexts, textsOfLength } from "./texts.ts";

/** What is measured with, and how much. */
export interface Plan {
  /** How a reader starts the same. */
  readonly command: string;
  readonly rounds: number;
  readonly quick: boolean;
  readonly peer: PeerModel;
  /** Of `vectors` and `quality`. Undefined for all. */
  readonly devices: readonly DeviceId[] | undefined;
  /** Null where they were not asked for. */
  readonly python: PythonPeers | null;
  readonly abstracts: readonly string[];
  readonly queries: readonly string[];
  readonly collection: Collection;
  /** How long the service is overloaded. */
  readonly overloadSeconds: number;
  readonly soakRequests: number;
}

const serviceWorkers = 2;
/** Tells how it gets on. */
export const onProgress = (line: string) => console.error(line);

/** The environment of a benchmark that the Python peers take part in. */
async function describeWithPeers({ command, python }: Plan): Promise<Environment> {
  const environment = await describeEnvironment(command);
  return { ...environment, versions: { ...environment.versions, ...python?.versions } };
}

async function compareContenders(contenders: readonly AnyContender[], textSets: readonly TextSet[], plan: Plan): Promise<Comparison> {
  const { rounds, peer, python } = plan;
  const environment = await describeWithPeers(plan);
  const countTokens = await tokenCounter();
  return {
    environment,
    contenders: described(contenders),
    textSets: textSets.map(({ name, texts }) => ({ name, texts: texts.length, tokens: countTokens(texts) })),
    ...(await compare({ contenders, textSets, rounds, peer, python, onProgress })),
  };
}

function compareEncoders(plan: Plan): Promise<Comparison> {
  const { abstracts, queries, quick, python } = plan;
  const textSets = [
    { name: "abstracts", texts: abstracts },
    { name: "queries", texts: queries },
    mixedTexts(queries, abstracts, quick ? 4 : 16),
  ];
  return compareContenders(python ? [...encoders, ...pythonContenders] : encoders, textSets, plan);
}

async function measureGrowths(plan: Plan): Promise<Growth> {
  const { abstracts, quick, rounds, peer, python } = plan;
  const environment = await describeWithPeers(plan);
  const countTokens = await tokenCounter();
  const contenders = growthContenders(environment.cores, python !== null);
  const sets = [
    ...(quick ? [4, 8] : [25, 50, 100, 200]).map((count) => ({ along: "texts" as const, texts: abstracts.slice(0, count) })),
    ...(quick ? [16, 64] : [16, 32, 64, 128, 256, 512]).map((tokens) => ({
      along: "length" as const,
      texts: textsOfLength(tokens, quick ? 4 : 16, abstracts, countTokens),
    })),
  ];
  const textSets = sets.map(({ along, texts }) => {
    const tokens = countTokens(texts);
    const name = along === "texts" ? `${texts.length} abstracts` : `${tokens / texts.length} tokens`;
    return { name, along, texts, tokens };
  });
  return {
    environment,
    contenders: described(contenders),
    textSets: textSets.map(({ name, along, texts, tokens }) => ({ name, along, texts: texts.length, tokens })),
    ...(await measureGrowth({ contenders, textSets, rounds, peer, python, onProgress })),
  };
}

async function measureFastapi(plan: Plan): Promise<FastapiResult | null> {
  const { python, abstracts, queries, rounds, quick } = plan;
  const environment = await describeWithPeers(plan);
  const compared = python
    ? await compareServices({ python, abstracts, queries, rounds, seconds: quick ? 5 : 30, onProgress })
    : { refusal: "the Python peers were not asked for (`--peers`)" };
  if (!("refusal" in compared)) return { environment, ...compared };
  onProgress(`fastapi: SKIPPED: ${compared.refusal}`);
  return null;
}

const described = (contenders: readonly AnyContender[]) => contenders.map(({ id, label, precision }) => ({ id, label, precision }));

async function measureService({ command, abstracts, rounds }: Plan): Promise<ServiceResult> {
  const environment = await describeEnvironment(command);
  const countTokens = await tokenCounter();
  const seen: ServiceResult["rounds"] = [];
  for (let round = 1; round <= rounds; round++) {
    const watched = await watchService(abstracts, serviceWorkers);
    onProgress(`round ${round} of ${rounds}, service: event loop p99 ${watched.embedding.loopDelay.p99.toFixed(1)} ms`);
    seen.push(watched);
  }
  return { environment, workers: serviceWorkers, texts: abstracts.length, tokens: countTokens(abstracts), rounds: seen };
}

async function compareDimensions({ command, collection }: Plan): Promise<DimensionsResult> {
  const environment = await describeEnvironment(command);
  const { documents, judgments } = collection;
  return { environment, documents: documents.length, queries: judgments.size, rows: await measureDimensions(collection) };
}

async function loadService({ command, abstracts, queries, rounds, overloadSeconds }: Plan): Promise<LoadResult> {
  const environment = await describeEnvironment(command);
  const seen: LoadResult["rounds"] = [];
  for (let round = 1; round <= rounds; round++) {
    const loaded = await measureLoad({ abstracts, queries, workers: serviceWorkers, seconds: overloadSeconds });
    const { answers, lost } = loaded.overload;
    onProgress(`round ${round} of ${rounds}, load: ${loaded.capacity.toFixed(1)} texts/s; ${JSON.stringify({ ...answers, lost })}`);
    seen.push(loaded);
  }
  return { environment, workers: serviceWorkers, rounds: seen };
}

async function soakService({ command, abstracts, soakRequests }: Plan): Promise<SoakResult> {
  const environment = await describeEnvironment(command);
  const countTokens = await tokenCounter();
  onProgress(`soak: ${soakRequests} requests, once whatever the rounds`);
  return { environment, ...(await soak({ abstracts, workers: serviceWorkers, requests: soakRequests, countTokens })) };
}

async function measureEdgeIsolates({ command, rounds }: Plan): Promise<EdgeResult> {
  const environment = await describeEnvironment(command, ["wrangler"]);
  let round = 0;
  const seen = await measureEdge(rounds, ({ first }) => {
    round += 1;
    onProgress(`round ${round} of ${rounds}, edge: first answer after ${first.ms.toFixed(0)} ms`);
  });
  return { environment, rounds: seen };
}

async function describeBrowserRun({ command, abstracts, rounds, peer }: Plan, texts: number) {
  const environment = await describeEnvironment(command, ["onnxruntime-web", "@huggingface/transformers"]);
  const countTokens = await tokenCounter();
  const textSet = { name: "abstracts", texts: abstracts.slice(0, texts) };
  const options: BrowserOptions = { textSet, warmUp: abstracts.slice(-8), rounds, peer, onProgress };
  const textSets = [{ name: textSet.name, texts: textSet.texts.length, tokens: countTokens(textSet.texts) }];
  return { described: { environment, textSets }, options };
}

async function measureBrowser(plan: Plan): Promise<BrowserComparison> {
  const { described, options } = await describeBrowserRun(plan, 64);
  return { ...described, ...(await compareInBrowser(options)) };
}

async function measureWebgpu(plan: Plan): Promise<WebgpuResult | null> {
  const { described, options } = await describeBrowserRun(plan, 192);
  const compared = await compareOnWebgpu(options, await goldenRows());
  if (!("refusal" in compared)) return { ...described, ...compared };
  onProgress(`webgpu: SKIPPED: ${compared.refusal}`);
  return null;
}

/** The first 500 documents that have a text, as one would write them down. */
const notesOf = ({ documents }: Collection) =>
  documents
    .filter(({ text }) => text !== "")
    .slice(0, 500)
    .map(({ title, text }) => `${title}\n\n${text}`);

/** Runs a benchmark. Null where it was skipped: it has said why. */
export const measure: { readonly [name in keyof Results]: (plan: Plan) => Promise<Results[name]> } = {
  encode: compareEncoders,
  service: measureService,
  load: loadService,
  soak: soakService,
  edge: measureEdgeIsolates,
  browser: measureBrowser,
  webgpu: measureWebgpu,
  dimensions: compareDimensions,
  search: async ({ command, rounds, quick, peer }) => ({
    environment: await describeEnvironment(command),
    ...(await measureSearch({ rounds, quick, peer, onProgress })),
  }),
  vectors: ({ command, peer, devices, quick }) => acrossDevices({ command, peer, devices, onProgress }).vectors(quick ? 16 : 500),
  start: async ({ command, rounds }) => ({
    environment: await describeEnvironment(command, ["onnxruntime-node", "wrangler"]),
    ...(await measureStart(rounds, onProgress)),
  }),
  engine: async ({ command, rounds, quick }) => ({
    environment: await describeEnvironment(command, ["onnxruntime-web", "onnxruntime-node", "wrangler"]),
    ...(await measureEngine({ rounds, turns: quick ? 3 : 15 }, onProgress)),
  }),
  ratios: async ({ command, rounds }) => ({
    environment: await describeEnvironment(command),
    ratios: await measureRatios(rounds, onProgress),
  }),
  page: async ({ command, rounds, abstracts, collection, quick }) => ({
    environment: await describeEnvironment(command, []),
    ...(await measurePageUse(quick ? abstracts : notesOf(collection), rounds, ({ idle, indexing }) =>
      onProgress(
        `page: key to results ${Math.max(...idle.keyToResults).toFixed(0)} ms at most, while indexing ${Math.max(...indexing.keyToResults).toFixed(0)} ms`,
      ),
    )),
  }),
  quality: async ({ command, peer, devices, quick, collection }) =>
    acrossDevices({ command, peer, devices, onProgress }).quality(quick ? await cranfieldCollection(25) : collection),
  growth: measureGrowths,
  fastapi: measureFastapi,
};
