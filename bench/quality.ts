import { modelOf } from "../shared/encoder/bundled-model.ts";
import type { SearchMode } from "../shared/search/fusion.ts";
import { SearchEngine } from "../shared/search/search-engine.ts";
import { Unavailable } from "./contenders/contender.ts";
import { type Collection, normalizedGain } from "./cranfield.ts";
import type { DeviceSource, MeasuredDevice } from "./devices/device.ts";
import { readManifest } from "./environment.ts";
import type { DeviceQuality, QualityResult } from "./matrix-results.ts";

export interface QualityOptions {
  readonly collection: Collection;
  readonly devices: readonly DeviceSource[];
  readonly onProgress: (line: string) => void;
}

const modes: readonly SearchMode[] = ["hybrid", "meaning", "words"];

/** How well the search finds on Cranfield, in each mode and with the vectors of each device that can compute all of it. */
export async function measureQuality({ collection, devices, onProgress }: QualityOptions): Promise<Omit<QualityResult, "environment">> {
  const found: DeviceQuality[] = [];
  const skipped: QualityResult["skipped"] = [];
  const documents = collection.documents.filter(({ text }) => text !== "");
  let passages = 0;
  for (const { id, label, slow, open } of devices) {
    const skip = (reason: string) => {
      skipped.push({ device: id, reason });
      onProgress(`quality: ${id}: SKIPPED: ${reason}`);
    };
    if (slow) {
      skip("it would take hours for so many texts");
      continue;
    }
    try {
      await using device = await open();
      const engine = await engineOver(device);
      await engine.add(
        documents.map(({ number, title, text }) => ({ id: String(number), title, kind: "abstract", text })),
        { onProgress: ({ done, total }) => done % 640 === 0 && onProgress(`quality: ${id}: ${done} of ${total} passages embedded`) },
      );
      passages = engine.size;
      const ofModes = [];
      for (const mode of modes) ofModes.push({ mode, ...(await qualityOf(engine, mode, collection)) });
      found.push({ id, label, modes: ofModes });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      skip(error.message);
    }
  }
  return { documents: documents.length, passages, queries: collection.queries.length, devices: found, skipped };
}

/** The search as page and command have it, on another encoder. One device at a time, so that no fingerprint is mixed. */
async function engineOver(device: MeasuredDevice): Promise<SearchEngine> {
  const model = modelOf(await readManifest());
  const engine = new SearchEngine({
    load: async () => model,
    async embed(texts, { inputType = "passage" } = {}) {
      const list = [texts].flat();
      const none = list.map(() => 0);
      const vectors = (await device.embed(list, inputType)).map((vector) => Float32Array.from(vector));
      return { vectors, tokens: none, truncated: none, time: { queue: 0, inference: 0 } };
    },
  });
  await engine.load();
  return engine;
}

/** Passages that are asked for: for ten documents, and for a hundred. More would also make the engine rank more of them. */
const limits = { gain: 50, recall: 500 };
const recallDepth = 100;

type Halves = DeviceQuality["modes"][number]["gain"];

async function qualityOf(engine: SearchEngine, mode: SearchMode, { queries, judgments }: Collection) {
  const gains = new Means();
  const recalls = new Means();
  for (const { number, text } of queries) {
    const relevance = judgments.get(number) ?? new Map<number, number>();
    // A dash before a word would exclude it. The queries use it as punctuation.
    const query = `${text.replaceAll(/(^|\s)-/g, "$1 ")} `;
    const ranked = async (limit: number) => {
      const { results } = await engine.search(query, { mode, limit });
      return [...new Set(results.map(({ document }) => Number(document.id)))];
    };
    gains.add(number, normalizedGain(await ranked(limits.gain), relevance));
    const found = new Set((await ranked(limits.recall)).slice(0, recallDepth));
    const relevant = [...relevance.keys()];
    if (relevant.length > 0) recalls.add(number, relevant.filter((document) => found.has(document)).length / relevant.length);
  }
  return { gain: gains.halves, recall: recalls.halves };
}

/** Means of a figure over the queries that weights were chosen on, those with odd numbers, over the others, and over all. */
class Means {
  readonly #odd: number[] = [];
  readonly #even: number[] = [];

  add(query: number, figure: number): void {
    (query % 2 === 1 ? this.#odd : this.#even).push(figure);
  }

  get halves(): Halves {
    const mean = (figures: readonly number[]) => figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
    return { chosenOn: mean(this.#odd), reported: mean(this.#even), all: mean([...this.#odd, ...this.#even]) };
  }
}
