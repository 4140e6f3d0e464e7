/** Compares the product's pool in Node.js with other libraries, on the same texts. */
import type { z } from "zod";
import { claimThat, defineBenchmark, type Plan, Unavailable } from "./benchmark.ts";
import { Child } from "./child.ts";
import { type Contender, compare, comparisonSchema, comparisonTables, speedRatios } from "./comparison.ts";
import { cranfieldDocuments, cranfieldQueries, textsOf } from "./cranfield.ts";
import type { EncodeAnswer, Encoded, EncodeJob, NodeMethod } from "./encode-child.ts";
import { describeEnvironment, tokenCounter } from "./environment.ts";
import { type PythonMethod, pythonContenders } from "./peers/contenders.ts";
import { type PythonPeers, pythonProgram } from "./peers/install.ts";
import type { PeerModel } from "./peers/peer-model.ts";
import { figuresOf, formatSpread, spreadOf } from "./statistics.ts";
import { loopDelaySchema } from "./usage.ts";

const schema = comparisonSchema({ loopDelay: loopDelaySchema.nullable() });
type Comparison = z.infer<typeof schema>;

interface EncodeContender extends Contender {
  readonly precision: "int8" | "float32";
  readonly method: NodeMethod | PythonMethod;
}

const pool = (workers: number): EncodeContender => ({
  id: `pool-${workers}`,
  label: `**Samevec, ${workers} worker${workers === 1 ? "" : "s"}**`,
  precision: "int8",
  method: { workers },
});

const pipeline = (textsPerCall: number, calls = `batches of ${textsPerCall}`): EncodeContender => ({
  id: `pipeline-${Number.isFinite(textsPerCall) ? textsPerCall : "all"}`,
  label: `transformers.js \`pipeline\`, ${calls}`,
  precision: "int8",
  method: { textsPerCall },
});

const nodeContenders: readonly EncodeContender[] = [
  pool(2),
  pool(1),
  pipeline(Number.POSITIVE_INFINITY, "all texts in one call"),
  pipeline(32),
  pipeline(1, "one text per call"),
];

async function measure({ command, rounds, quick, peer, python }: Plan): Promise<Comparison> {
  const abstracts = textsOf(await cranfieldDocuments()).slice(0, quick ? 16 : 200);
  const queries = textsOf(await cranfieldQueries()).slice(0, quick ? 16 : undefined);
  const textSets = [
    { name: "abstracts", texts: abstracts },
    { name: "queries", texts: queries },
    mixedTexts(queries, abstracts, quick ? 4 : 16),
  ];
  const contenders = python ? [...nodeContenders, ...pythonContenders] : nodeContenders;
  const countTokens = await tokenCounter();
  const { versions, ...environment } = await describeEnvironment(command, ["onnxruntime-node", "@huggingface/transformers"]);
  return {
    environment: { ...environment, versions: { ...versions, ...python?.versions } },
    contenders: contenders.map(({ id, label, precision }) => ({ id, label, precision })),
    textSets: textSets.map(({ name, texts }) => ({ name, texts: texts.length, tokens: countTokens(texts) })),
    ...(await compare({ contenders, textSets, rounds, measure: ({ method }, texts) => encodeIn(method, { peer, python }, texts) })),
  };
}

/** Measures a contender in a new process, after a warm-up. */
async function encodeIn(
  method: EncodeContender["method"],
  { peer, python }: { readonly peer: PeerModel; readonly python: PythonPeers | null },
  texts: readonly string[],
): Promise<Encoded> {
  if ("library" in method) {
    if (!python) throw new Unavailable("the Python peers were not asked for (`--peers`)");
    return encodeInPython(method, python, { warmUp, texts });
  }
  await using child = new Child("encode-child.js");
  const answer = await child.ask<EncodeAnswer>({ method, peer, warmUp, texts } satisfies EncodeJob);
  if ("unavailable" in answer) throw new Unavailable(answer.unavailable);
  return answer;
}

/** The answer of `peers/contender.py`. `vectors` is base64 of all vectors as little-endian float32. */
interface PythonAnswer extends Pick<Encoded, "figures"> {
  readonly vectors: string;
  readonly dimensions: number;
}

async function encodeInPython(method: PythonMethod, python: PythonPeers, texts: Pick<EncodeJob, "warmUp" | "texts">): Promise<Encoded> {
  const program = pythonProgram(python, method.library === "infinity" ? "infinity" : "peers", "contender.py");
  if ("refusal" in program) throw new Unavailable(program.refusal);
  await using child = new Child(program);
  const settings = { ...method, models: python.models };
  const { vectors, dimensions, figures } = await child.ask<PythonAnswer>({ settings, ...texts }).catch((cause: unknown) => {
    // A failing peer must not end the run. It prints its own message to stderr.
    throw new Unavailable("its process failed", { cause });
  });
  const numbers = new Float32Array(Uint8Array.from(Buffer.from(vectors, "base64")).buffer);
  const rows = Array.from({ length: numbers.length / dimensions }, (_, row) => numbers.slice(row * dimensions, (row + 1) * dimensions));
  return { vectors: rows, figures };
}

/** Queries, abstracts, and pairs of abstracts in turns: about 20, 240 and 480 tokens. */
function mixedTexts(queries: readonly string[], abstracts: readonly string[], ofEach: number) {
  const texts = Array.from({ length: ofEach }, (_, i) => {
    const long = abstracts.slice(ofEach + 2 * i, ofEach + 2 * (i + 1)).join(" ");
    return [queries[i] ?? "", abstracts[i] ?? "", long];
  });
  return { name: "texts of mixed lengths", texts: texts.flat().filter((text) => text !== "") };
}

/** Warm-up: a hundred texts of 4 to 22 words, after which code is compiled and memory has grown. */
const warmUp = Array.from({ length: 100 }, (_, i) => "warm up ".repeat(2 + (i % 10)));

/** Ratio of the speed to that of the fastest library, on abstracts. Empty without another library. */
function ratiosToBest({ measurements }: Comparison): number[] {
  const others = new Set(measurements.map(({ contender }) => contender).filter((id) => !id.startsWith("pool-")));
  const ratios = Array.from(others, (id) => speedRatios(measurements, "abstracts", "pool-2", id)).filter((each) => each.length > 0);
  return ratios.sort((a, b) => spreadOf(a).median - spreadOf(b).median).at(0) ?? [];
}

export const encode = defineBenchmark({
  name: "encode",
  schema,
  measure,
  report(result) {
    const { measurements, contenders } = result;
    const faster = (over: string, texts = "abstracts") => speedRatios(measurements, texts, "pool-2", over);
    const own = measurements.filter(({ contender, texts }) => contender === "pool-2" && texts === "abstracts");
    const peaks = figuresOf(own, ({ peakBytes }) => peakBytes && peakBytes / 1e6);
    const withPython = contenders.some(({ id }) => id.startsWith("fastembed"));
    const lead = "Two workers embed abstracts";
    const [single, batches] = [formatSpread(faster("pipeline-1"), 2), formatSpread(faster("pipeline-32"), 2)];
    return {
      title: "Against other libraries",
      sections: comparisonTables(result, { "event loop p99, ms": ({ loopDelay }) => loopDelay?.p99 ?? null }),
      claims: [
        ...claimThat(`${lead} at least 4 times as fast as \`pipeline\` in batches of 32`, faster("pipeline-32"), { least: 4 }),
        ...claimThat(`${lead} faster than \`pipeline\` text by text`, faster("pipeline-1"), { least: 1 }),
        ...claimThat("… and queries at least 1.3 times as fast", faster("pipeline-1", "queries"), { least: 1.3 }),
        ...claimThat("Two workers take at most 450 MB at their peak, on abstracts", peaks, { most: 450, digits: 0, unit: "MB" }),
        ...claimThat(`${lead} at least 4 times as fast as fastembed by default`, faster("fastembed-int8-256"), { least: 4 }),
        ...claimThat("… and as sentence-transformers by default", faster("sentence-transformers-float32-32"), { least: 4 }),
        ...(withPython ? claimThat(`${lead} faster than any library at its best setting`, ratiosToBest(result), { least: 1 }) : []),
      ],
      headlines: [["Abstracts in Node: two workers' speed over `pipeline`'s", `${single} × text by text, ${batches} × in batches of 32`]],
    };
  },
});
