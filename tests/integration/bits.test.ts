import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openNodeModel } from "../../api/node/node-model.ts";
import { createEncoder } from "../../dist/api/node/encoder.js";
import type { InputType } from "../../shared/encoder/encoder.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { cutTokens } from "../../shared/encoder/tokenizer.ts";
import { cosineSimilarity, decodeVector } from "../../shared/vector.ts";
import { engineDirectory, modelDirectory, readManifest } from "../contract/model-copy.ts";
import { goldenRows } from "../golden.ts";
import { cranfieldAbstracts } from "./cranfield.ts";
import { hexOf, type Results } from "./hosts/compute.ts";
import { computeInChromium, computeInFirefox, computeInIsolate, computeInJavaScriptCore, computeInNode, installNode } from "./hosts.ts";
import { WorkFolder } from "./work-folder.ts";

/** How many abstracts are embedded by each host's first choice of a build, and by its other builds. */
const abstracts = { all: 500, few: 40 };
const newerNode = "24.21.0";

/** Of a vector in hex. */
const hexLength = 384 * 4 * 2;

/** For a host on a machine that does much else, in ms. */
const patience = 600_000;

interface Text {
  readonly inputType: InputType;
  readonly text: string;
}

let texts: readonly Text[];
let folder: WorkFolder;
/** What this Node's session gives for each text alone, in hex: the bits that all others are held to. */
let known: readonly string[];
const found: string[] = [];

const openEngine = () => createSessionEncoder(openNodeModel({ directory: modelDirectory, engineDirectory, device: "wasm" }));
const sha256 = (vectors: string) => createHash("sha256").update(Buffer.from(vectors, "hex")).digest("hex");

beforeAll(async () => {
  const manifest = await readManifest();
  const passages = (await cranfieldAbstracts()).slice(0, abstracts.all);
  expect(passages).toHaveLength(abstracts.all);
  texts = [...goldenRows, ...passages.map((text) => ({ inputType: "passage" as const, text }))];

  const { model, tokenizer, session } = await openNodeModel({ directory: modelDirectory, engineDirectory, device: "wasm" })();
  await session.dispose();
  const idsOf = ({ inputType, text }: Text) => cutTokens(tokenizer.encode(model.prompts[inputType] + text), model.maxTokens);
  folder = await WorkFolder.create({
    manifest,
    texts: texts.map(idsOf),
    few: goldenRows.length + abstracts.few,
  });

  const encoder = openEngine();
  const vectors: string[] = [];
  for (const { inputType, text } of texts) {
    const [vector] = (await encoder.embed(text, { inputType })).vectors;
    vectors.push(hexOf(vector ?? expect.fail("no vector")));
  }
  await encoder.dispose();
  known = vectors;
  found.push(`this Node, each text alone: ${sha256(known.join(""))} (${known.length} texts)`);
}, patience);

afterAll(async () => {
  console.log(found.join("\n"));
  await folder?.remove();
});

describe("bit-identical vectors in this Node", () => {
  /** Embeds the texts of each inputType, in the order given, by one call for each inputType. */
  const embedAll = async (order: readonly number[]): Promise<string[]> => {
    const encoder = openEngine();
    const vectors: string[] = [];
    for (const wanted of ["query", "passage"] as const) {
      const indexes = order.filter((index) => texts[index]?.inputType === wanted);
      const embedded = await encoder.embed(
        indexes.map((index) => texts[index]?.text ?? ""),
        { inputType: wanted },
      );
      for (const [place, index] of indexes.entries()) vectors[index] = hexOf(embedded.vectors[place] ?? expect.fail("no vector"));
    }
    await encoder.dispose();
    return vectors;
  };

  test("the engine gives texts of all lengths that share runs the same bits as alone", { timeout: patience }, async () => {
    // The golden texts, of 2 to 512 tokens, and the abstracts by turns.
    const order = texts.map((_, index) => index).sort((a, b) => ((a * 7919) % texts.length) - ((b * 7919) % texts.length));
    expect(sha256((await embedAll(order)).join(""))).toBe(sha256(known.join("")));
  });

  test("the engine gives texts in random order the same bits as alone", { timeout: patience }, async () => {
    const order = texts.map((_, index) => ({ index, place: Math.random() })).sort((a, b) => a.place - b.place);
    expect(sha256((await embedAll(order.map(({ index }) => index))).join(""))).toBe(sha256(known.join("")));
  });

  test("a pool under concurrent load gives texts the same bits as alone", { timeout: patience }, async () => {
    const encoder = createEncoder({ workers: 2, interactiveWorkers: 1, device: "wasm" });
    const vectors: string[] = [];
    const calls: Promise<void>[] = [];
    for (let first = 0, size = 1; first < texts.length; first += size, size = (size % 9) + 1) {
      for (const wanted of ["query", "passage"] as const) {
        const call = texts
          .slice(first, first + size)
          .flatMap(({ inputType, text }, place) => (inputType === wanted ? [{ index: first + place, text }] : []));
        const embed = async () => {
          const embedded = await encoder.embed(
            call.map(({ text }) => text),
            { inputType: wanted },
          );
          for (const [place, { index }] of call.entries()) vectors[index] = hexOf(embedded.vectors[place] ?? expect.fail("no vector"));
        };
        calls.push(embed());
      }
    }
    await Promise.all(calls);
    await encoder.dispose();
    expect(sha256(vectors.join(""))).toBe(sha256(known.join("")));
  });
});

test("the engine's vectors of the abstracts are close to the native ones", { timeout: patience }, async () => {
  const native = createSessionEncoder(openNodeModel({ directory: modelDirectory, engineDirectory, device: "native" }));
  const cosines: number[] = [];
  for (const [index, { inputType, text }] of texts.entries()) {
    if (index < goldenRows.length) continue;
    const [vector = new Float32Array()] = (await native.embed(text, { inputType })).vectors;
    cosines.push(cosineSimilarity(vector, vectorOf(known[index] ?? "")));
  }
  await native.dispose();
  found.push(`engine to native: worst ${Math.min(...cosines)}, mean ${cosines.reduce((a, b) => a + b) / cosines.length}`);
  expect(cosines).toHaveLength(abstracts.all);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.9995);
});

const vectorOf = (hex: string) => decodeVector(Buffer.from(hex, "hex").toString("base64"));

/** The same bits from each build that the host validates. */
function expectKnownBits(host: string, { valid, computed }: Results): void {
  for (const { build, vectors } of computed) found.push(`${host}, ${build}: ${sha256(vectors)} (${vectors.length / hexLength} texts)`);
  for (const [place, { vectors }] of computed.entries()) {
    const expected = place === 0 ? known : known.slice(0, goldenRows.length + abstracts.few);
    expect(sha256(vectors)).toBe(sha256(expected.join("")));
  }
  expect(computed.map(({ build }) => build).toSorted()).toEqual(valid.toSorted());
  expect(valid).toContain("plain");
}

/** Fails with what to install where a program is missing. */
function requireProgram(name: string): void {
  const { error } = spawnSync(name, ["--help"], { timeout: 30_000 });
  if (error && "code" in error && error.code === "ENOENT") {
    throw new Error(`${name} is missing: apt-get install chromium firefox-esr libjavascriptcoregtk-4.0-bin`);
  }
}

describe("bit-identical vectors on other hosts", { timeout: patience }, () => {
  test("every engine build in this Node computes the same bits", async () => {
    expectKnownBits(`Node ${process.versions.node}`, await computeInNode(folder, process.execPath));
  });

  test("a newer Node computes the same bits", async () => {
    const node = await installNode(newerNode);
    try {
      expectKnownBits(`Node ${newerNode}`, await computeInNode(folder, node.executable));
    } finally {
      await rm(node.folder, { recursive: true });
    }
  });

  test("a page in Chromium computes the same bits", async () => {
    expectKnownBits("Chromium", await computeInChromium(folder));
  });

  test("a page in Firefox computes the same bits", async () => {
    requireProgram("firefox-esr");
    expectKnownBits("Firefox", await computeInFirefox(folder));
  });

  test("an isolate of workerd computes the same bits", async () => {
    expectKnownBits("workerd", await computeInIsolate(folder));
  });

  test("JavaScriptCore computes the same bits", async () => {
    requireProgram("jsc");
    expectKnownBits("JavaScriptCore", await computeInJavaScriptCore(folder));
  });
});
