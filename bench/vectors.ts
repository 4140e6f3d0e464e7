import { cosineSimilarity } from "../shared/vector.ts";
import type { InputType } from "../shared/encoder/encoder.ts";
import { Unavailable } from "./contenders/contender.ts";
import type { DeviceId, DeviceSource, MeasuredDevice } from "./devices/device.ts";
import { type VectorsResult, type Way, ways } from "./matrix-results.ts";

interface VectorText {
  readonly inputType: InputType;
  readonly text: string;
  readonly tokens: number;
  /** What the published model gives for it in float32, where that is known. */
  readonly published?: Float32Array;
}

export interface VectorsOptions {
  readonly devices: readonly DeviceSource[];
  readonly sets: readonly { readonly name: string; readonly texts: readonly VectorText[] }[];
  /** What else is asked for while a device is under load. */
  readonly noise: readonly string[];
  readonly onProgress: (line: string) => void;
}

type Found = Pick<VectorsResult, "sets" | "skipped">;
/** By set, device and way: a vector for each text of the set, null for one that was not asked for. */
type Vectors = Map<string, Map<DeviceId, Map<Way, (Float32Array | null)[]>>>;

/** Compares the vectors of every device with those of every other, however a device is asked. */
export async function compareVectors({ devices, sets, noise, onProgress }: VectorsOptions): Promise<Found> {
  const vectors: Vectors = new Map(sets.map(({ name, texts }) => [name, publishedIn(texts)]));
  const skipped: Found["skipped"] = [];
  for (const source of devices) {
    const asked = sets.filter(({ name }) => !vectors.get(name)?.has(source.id));
    try {
      await using device = await source.open();
      for (const { name, texts } of asked) {
        const chosen = chosenFor(source, texts);
        if (chosen.every((text) => text === null)) continue;
        const found = new Map<Way, (Float32Array | null)[]>();
        for (const way of waysOf(source)) {
          found.set(way, await vectorsOf(device, chosen, way, noise));
          onProgress(`vectors: ${source.id}, ${name}, ${way}`);
        }
        vectors.get(name)?.set(source.id, found);
      }
    } catch (error) {
      if (!(error instanceof Unavailable || source.slow)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      skipped.push({ device: source.id, reason });
      onProgress(`vectors: ${source.id}: SKIPPED: ${reason}`);
    }
  }
  const labelled = devices.map(({ id, label }) => ({ id, label }));
  return {
    sets: sets.map(({ name, texts }) => ({ name, texts: texts.length, ...compared(labelled, vectors.get(name) ?? new Map()) })),
    skipped,
  };
}

/** The published model is asked for each text alone: it is what the others are held to. */
function waysOf({ id, slow }: DeviceSource): readonly Way[] {
  if (id === "published") return ["alone"];
  return slow ? ["alone", "together"] : ways;
}

function publishedIn(texts: readonly VectorText[]): Map<DeviceId, Map<Way, (Float32Array | null)[]>> {
  const known = texts.flatMap(({ published }) => published ?? []);
  return new Map(known.length === texts.length ? [["published", new Map([["alone", known]])]] : []);
}

/** The texts, with null in the place of one that this device is not asked for. */
function chosenFor({ slow }: DeviceSource, texts: readonly VectorText[]): (VectorText | null)[] {
  let left = slow?.texts ?? Number.POSITIVE_INFINITY;
  return texts.map((text) => (text.tokens <= (slow?.tokens ?? Number.POSITIVE_INFINITY) && left-- > 0 ? text : null));
}

/** Calls that are under way at once while a device is under load, beside those for the noise. */
const clients = 3;
const noiseTextsPerCall = 6;

async function vectorsOf(
  device: MeasuredDevice,
  texts: readonly (VectorText | null)[],
  way: Way,
  noise: readonly string[],
): Promise<(Float32Array | null)[]> {
  const found: (Float32Array | null)[] = texts.map(() => null);
  if (way === "together") {
    for (const inputType of ["query", "passage"] as const) {
      const ofKind = texts.flatMap((text, place) => (text?.inputType === inputType ? [{ place, text: text.text }] : []));
      if (ofKind.length === 0) continue;
      const vectors = await device.embed(
        ofKind.map(({ text }) => text),
        inputType,
      );
      for (const [i, { place }] of ofKind.entries()) found[place] = vectors[i] ?? null;
    }
    return found;
  }
  let next = 0;
  const client = async () => {
    while (next < texts.length) {
      const place = next++;
      const text = texts[place];
      if (text) [found[place] = null] = await device.embed([text.text], text.inputType);
    }
  };
  if (way === "alone") {
    await client();
    return found;
  }
  let done = false;
  const makeNoise = async () => {
    for (let call = 0; !done; call++) {
      const from = (call * noiseTextsPerCall) % noise.length;
      await device.embed(noise.slice(from, from + noiseTextsPerCall), "query");
    }
  };
  const noisy = makeNoise();
  await Promise.all(Array.from({ length: clients }, client)).finally(() => {
    done = true;
  });
  await noisy;
  return found;
}

type Labelled = { readonly id: DeviceId; readonly label: string };

function compared(devices: readonly Labelled[], vectors: ReadonlyMap<DeviceId, Map<Way, (Float32Array | null)[]>>) {
  const present = devices.filter(({ id }) => vectors.has(id));
  const between = present.flatMap((a, i) =>
    present.slice(i + 1).flatMap((b) => {
      // A device is as far from another as the farthest of its ways.
      const pairs = [...(vectors.get(a.id)?.values() ?? [])].flatMap((ofA) =>
        [...(vectors.get(b.id)?.values() ?? [])].map((ofB) => agreement(ofA, ofB)),
      );
      const [first] = pairs;
      if (!first) return [];
      const least = (figure: "worst" | "identical") => Math.min(...pairs.map((pair) => pair[figure]));
      return [{ a: a.id, b: b.id, texts: first.texts, mean: first.mean, worst: least("worst"), identical: least("identical") }];
    }),
  );
  const within = present.flatMap(({ id }) => {
    const own = vectors.get(id);
    const alone = own?.get("alone") ?? [];
    return [...(own ?? [])].flatMap(([way, found]) => (way === "alone" ? [] : [{ device: id, way, ...agreement(alone, found) }]));
  });
  return { devices: present, between, within };
}

/** Of texts that both have a vector for. */
function agreement(ofA: readonly (Float32Array | null)[], ofB: readonly (Float32Array | null)[]) {
  const cosines: number[] = [];
  let identical = 0;
  let largestDifference = 0;
  for (const [i, a] of ofA.entries()) {
    const b = ofB[i];
    if (!(a && b)) continue;
    cosines.push(cosineSimilarity(a, b));
    const difference = a.reduce((largest, component, at) => Math.max(largest, Math.abs(component - (b[at] ?? Number.NaN))), 0);
    if (difference === 0) identical += 1;
    largestDifference = Math.max(largestDifference, difference);
  }
  const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
  return { texts: cosines.length, worst: Math.min(...cosines), mean, identical, largestDifference };
}
