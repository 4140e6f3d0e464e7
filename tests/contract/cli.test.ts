import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../../api/version.ts";
import { createEncoder } from "../../dist/api/node/encoder.js";
import { sha256Hex } from "../../shared/hash.ts";
import { CommandLine, command } from "./command-line.ts";
import { readManifest } from "./model-copy.ts";

const { run } = CommandLine;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "samevec-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of its own for each call. */
let files = 0;
const path = (name: string) => {
  files += 1;
  return join(folder, `${files}-${name}`);
};
const write = async (name: string, content: string) => {
  const file = path(name);
  await writeFile(file, content);
  return file;
};

interface OutputRecord {
  line: number;
  id?: string | number;
  tokens: number;
  truncated: number;
  embedding: number[];
}
const recordsOf = (output: string): OutputRecord[] =>
  output
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const places = (output: string) => recordsOf(output).map(({ line }) => line);

describe("the samevec command", () => {
  test("samevec prints its usage and starts with a shebang", async () => {
    expect((await readFile(command, "utf8")).split("\n")[0]).toBe("#!/usr/bin/env node");
    const help = await run(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/serve[\s\S]*embed[\s\S]*assets[\s\S]*info[\s\S]*Exit codes/);
    const embed = await run(["embed", "--help"]);
    expect(embed.stdout).toMatch(/--input-type[\s\S]*--resume[\s\S]*--strict/);
    expect(await run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test.each([
    [[], /Usage/],
    [["embde"], /unknown command 'embde'/],
    [["embed", "--input-type", "answer"], /passage, query/],
    [["embed", "--dimensions", "0"], /whole number/],
    [["embed", "--dimensions", "385", "-"], /the model has 384/],
    [["embed", "--resume"], /--output/],
    [["embed", "--workers", "none"], /WORKERS: /],
    [["serve", "--port", "eighty"], /PORT: /],
  ])("samevec rejects an invalid command line with exit code 2: %j", async (args, reason) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
    expect(stdout).toBe("");
  });

  test("samevec reports an input file that cannot be read with exit code 1", async () => {
    expect(await run(["embed", path("missing.txt")])).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("ENOENT") });
  });
});

describe("samevec embed", () => {
  test("samevec embed writes the encoder's embedding of each line, in input order", async () => {
    const texts = ["how tides work", "bleeding a radiator", "a long one ".repeat(300), "naïve café ☕"];
    const file = await write("texts.txt", `${texts.slice(0, 2).join("\n")}\n\n${texts.slice(2).join("\r\n")}`);
    const { code, stdout, stderr } = await run(["embed", file, "--workers", "2"]);
    const records = recordsOf(stdout);
    expect(code).toBe(0);
    expect(stderr).toBe("samevec: texts truncated at the model's limit of 512 tokens: 1\n");
    expect(places(stdout)).toEqual([1, 2, 4, 5]);
    const encoder = createEncoder({ workers: 1 });
    const { vectors, tokens, truncated } = await encoder.embed(texts);
    await encoder.dispose();
    expect(records.map(({ embedding }) => Float32Array.from(embedding))).toEqual(vectors);
    expect(records.map((record) => record.tokens)).toEqual(Array.from(tokens));
    expect(records.map((record) => record.truncated)).toEqual(Array.from(truncated));
  });

  test("samevec embed reads JSONL by file extension or --format, and keeps its ids", async () => {
    const jsonl = '{"id":"a","text":"how tides work"}\n{"text":"bleeding a radiator","more":[1]}\n';
    const named = await run(["embed", await write("texts.jsonl", jsonl), "--workers", "1"]);
    const told = await run(["embed", "-", "--format", "jsonl", "--workers", "1"], { input: jsonl });
    expect(named).toMatchObject({ code: 0, stderr: "" });
    expect(told).toEqual(named);
    expect(recordsOf(named.stdout)).toMatchObject([
      { line: 1, id: "a" },
      { line: 2, embedding: expect.any(Array) },
    ]);
    expect(recordsOf(named.stdout)[1]).not.toHaveProperty("id");
  });

  test("samevec embed reads stdin and accepts an input type and dimensions", async () => {
    const passages = recordsOf((await run(["embed", "--workers", "1"], { input: "how tides work" })).stdout);
    const queries = recordsOf((await run(["embed", "-t", "query", "-d", "64", "--workers", "1"], { input: "how tides work" })).stdout);
    expect(passages[0]?.embedding).toHaveLength(384);
    expect(queries[0]?.embedding).toHaveLength(64);
    expect(Math.hypot(...(queries[0]?.embedding ?? []))).toBeCloseTo(1, 6);
    expect(queries[0]?.tokens).toBeGreaterThan(passages[0]?.tokens ?? 0);
  });

  const withBadLines = '{"text":"first"}\n{"text":"private\n{"text":"third"}\n["private"]\n{"text":"fifth"}\n';

  test("samevec embed reports invalid lines by number without quoting them, embeds the rest and exits with code 1", async () => {
    const { code, stdout, stderr } = await run(["embed", "-f", "jsonl", "--workers", "1"], { input: withBadLines });
    expect(code).toBe(1);
    expect(places(stdout)).toEqual([1, 3, 5]);
    expect(stderr).toMatch(/^samevec: line 2: not valid JSON\nsamevec: line 4: must be an object .*\nsamevec: invalid lines skipped: 2\n$/);
    expect(stderr).not.toContain("private");
  });

  test("samevec embed --strict stops at the first invalid line", async () => {
    const { code, stdout, stderr } = await run(["embed", "-f", "jsonl", "--strict", "--workers", "1"], { input: withBadLines });
    expect(code).toBe(1);
    expect(places(stdout)).toEqual([1]);
    expect(stderr).toBe("samevec: line 2: not valid JSON\n");
  });

  test("samevec embed exits with code 0 when its output is closed, however much input is left", async () => {
    const reading = new CommandLine(["embed", "--workers", "1"]);
    reading.process.stdin.write("how tides work\n".repeat(2_000));
    await once(reading.process.stdout, "data");
    reading.process.stdout.destroy();
    // Its stdin stays open: it must not wait for more.
    const { code, stderr } = await reading.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("samevec embed --resume", () => {
  const lines = Array.from({ length: 240 }, (_, i) =>
    i % 50 === 7 ? "{" : JSON.stringify({ id: i, text: `${i} ${"of some length ".repeat(20)}` }),
  );
  let input: string;
  let whole: Buffer;
  beforeAll(async () => {
    input = await write("many.jsonl", `${lines.join("\n")}\n`);
    const output = path("whole.jsonl");
    expect((await run(["embed", input, "-o", output])).code).toBe(1);
    whole = await readFile(output);
    expect(places(whole.toString())).toHaveLength(235);
  });

  const resume = (output: string, ...more: string[]) => run(["embed", input, "-o", output, "--resume", ...more]);
  const size = (file: string) =>
    stat(file).then(
      ({ size }) => size,
      () => 0,
    );

  /** Starts, sends a signal once something is written, and gives what is left behind. */
  const interrupted = async (signal: NodeJS.Signals) => {
    const output = path("interrupted.jsonl");
    const begun = new CommandLine(["embed", input, "-o", output, "--workers", "1"]);
    await expect.poll(() => size(output), { interval: 5, timeout: 30_000 }).toBeGreaterThan(20_000);
    begun.process.kill(signal);
    return { output, ...(await begun.ended) };
  };

  test("samevec embed --resume completes an output killed half-way to the same bytes as one run", async () => {
    const { output, code } = await interrupted("SIGKILL");
    expect(code).toBe(null);
    expect(await size(output)).toBeLessThan(whole.length);
    expect((await resume(output)).code).toBe(1);
    expect((await readFile(output)).equals(whole)).toBe(true);
  });

  test("samevec embed exits with code 130 on Ctrl-C and leaves an output that --resume completes", async () => {
    const { output, code, stderr } = await interrupted("SIGINT");
    expect(code).toBe(130);
    expect(stderr).toContain("--resume");
    await resume(output);
    expect((await readFile(output)).equals(whole)).toBe(true);
  });

  test.each([
    ["nothing", () => 0],
    ["half of its first line", () => 500],
    ["whole lines and half of one", (bytes: Buffer) => bytes.indexOf("\n", bytes.length >> 1) - 100],
    ["whole lines", (bytes: Buffer) => bytes.indexOf("\n", bytes.length >> 1) + 1],
    ["all of it", (bytes: Buffer) => bytes.length],
  ])("samevec embed --resume completes an output to the same bytes when it contains %s", async (_, length) => {
    const output = path("cut.jsonl");
    await writeFile(output, whole);
    await truncate(output, length(whole));
    expect((await resume(output)).code).toBe(1);
    expect((await readFile(output)).equals(whole)).toBe(true);
  });

  test("samevec embed --resume leaves an output of other texts, other options or another program unchanged", async () => {
    const output = path("foreign.jsonl");
    await writeFile(output, whole.subarray(0, whole.indexOf("\n") + 1));
    const before = await readFile(output);
    const others = await write("others.jsonl", '{"id":0,"text":"quite another text"}\n{"text":"and one more"}\n');
    for (const refused of [
      await resume(output, "--input-type", "query"),
      await resume(output, "--dimensions", "64"),
      await run(["embed", others, "-o", output, "--resume"]),
    ]) {
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be resumed") });
    }
    expect((await readFile(output)).equals(before)).toBe(true);
    const notOurs = await write("letter.txt", "Dear reader,\n");
    expect(await resume(notOurs)).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be resumed") });
    expect(await readFile(notOurs, "utf8")).toBe("Dear reader,\n");
  });

  test("samevec embed rejects an output that is also its input", async () => {
    expect(await run(["embed", input, "-o", input])).toMatchObject({ code: 2, stderr: expect.stringContaining("both input and output") });
    expect(await readFile(input, "utf8")).toBe(`${lines.join("\n")}\n`);
  });
});

test("the runtime writes no files of its own and sends no telemetry", async () => {
  const home = await mkdtemp(join(folder, "home-"));
  // Where it finds itself in a test of its maker's, it keeps quiet anyhow.
  const env = { HOME: home, XDG_CACHE_HOME: "", CI: "", GITHUB_ACTIONS: "", TF_BUILD: "" };
  expect((await run(["embed", "--workers", "1"], { input: "how tides work", env })).code).toBe(0);
  expect(await readdir(home)).toEqual([]);
});

test("samevec assets copies the files a page's encoder fetches, and replaces those of an earlier version", async () => {
  const site = path("site");
  const copied = join(site, "samevec");
  expect(await run(["assets", copied])).toMatchObject({ code: 0, stdout: expect.stringContaining(copied), stderr: "" });
  const { files } = await readManifest();
  const model = join(copied, "models/bge-small-en-v1.5");
  const digest = async (name: string) => sha256Hex(new Uint8Array(await readFile(join(model, name))));
  const ofPages = Object.entries(files).filter(([name]) => name !== "cpu.onnx");
  for (const [name, { sha256 }] of ofPages) expect(await digest(name), name).toBe(sha256);
  expect(await readdir(model)).not.toContain("cpu.onnx");
  expect(await readdir(join(copied, "runtimes"))).toEqual(["webgpu.bin"]);
  await writeFile(join(model, "engine.bin"), "an earlier version's");
  expect((await run(["assets", copied])).code).toBe(0);
  expect(await digest("engine.bin")).toBe(files["engine.bin"]?.sha256);
});

test("samevec assets reports a target it cannot copy to, with exit code 1", async () => {
  const file = await write("a-file", "not a folder");
  expect(await run(["assets", file])).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(file) });
});

test("samevec info prints the model id and its fingerprint", async () => {
  const { fingerprint, id } = await readManifest();
  const json = await run(["info", "--json"]);
  expect(json).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({ model: id, fingerprint, dimensions: 384, versions: { samevec: version } });
  expect((await run(["info"])).stdout).toContain(fingerprint);
});

test("samevec serve starts the service, and its flags take precedence over the environment", async () => {
  const serving = new CommandLine(["serve", "--port", "0", "--workers", "1"], { PORT: "1", LOG_LEVEL: "warn" });
  let printed = "";
  for (const stream of [serving.process.stdout, serving.process.stderr]) {
    stream.on("data", (chunk) => {
      printed += chunk;
    });
  }
  await expect.poll(() => printed, { timeout: 30_000 }).toMatch(/Embeddings +http\S+\/embed/);
  const [, url] = /Embeddings +(http\S+)\/embed/.exec(printed) ?? [];
  const response = await fetch(`${url}/embed`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ inputs: "how tides work" }),
  });
  expect(await response.json()).toHaveLength(1);
  serving.process.kill("SIGTERM");
  expect((await serving.ended).code).toBe(0);
});
