import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import type { Program } from "../child.ts";
import type { PeerModel } from "../contenders/contender.ts";

const run = promisify(execFile);
/** The scripts, seen from `dist/bench/peers`. */
const scripts = new URL("../../../bench/peers/", import.meta.url);
/** What is installed and converted: some gigabytes, kept between runs, ignored by git. */
const cache = new URL("../../peers/", import.meta.url);
const oldestPython = [3, 10] as const;

/** Peers that can live together share an environment. */
const environmentNames = ["peers", "infinity"] as const;
export type EnvironmentName = (typeof environmentNames)[number];

const requirements = { peers: "requirements.txt", infinity: "requirements-infinity.txt" } as const;
/** Those whose versions a result names. */
const namedPackages = {
  peers: ["torch", "sentence-transformers", "transformers", "onnxruntime", "fastembed", "fastapi", "uvicorn"],
  infinity: ["infinity_emb"],
} as const;

const installedSchema = z.array(z.object({ name: z.string(), version: z.string() }));

type Environment = { readonly interpreter: string } | { readonly refusal: string };

/** The Python peers, as far as they could be installed. */
export interface PythonPeers {
  /** By name, where it is; or why it is not there, for a reader. */
  readonly environments: Readonly<Record<EnvironmentName, Environment>>;
  /** The folder that `convert.py` wrote. */
  readonly models: string;
  /** Of Python and of the packages that count. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Installs the Python peers into environments of their own, and converts the model for them, unless that was done before.
 * Never rejects for what a machine lacks: what is missing says so where it would be used.
 */
export async function installPeers(peer: PeerModel, onProgress: (line: string) => void): Promise<PythonPeers> {
  const models = fileURLToPath(new URL("models", cache));
  const without = (refusal: string): PythonPeers => ({ environments: { peers: { refusal }, infinity: { refusal } }, models, versions: {} });
  const python = await versionOfPython();
  if (!python) return without(`it needs python3, version ${oldestPython.join(".")} or later`);

  await mkdir(cache, { recursive: true });
  const peers = await install("peers", onProgress);
  if ("refusal" in peers) return without(peers.refusal);
  try {
    await convert(peers.interpreter, "directory" in peer ? peer.directory : peer.hub, models, onProgress);
  } catch {
    return without("its model could not be converted; name a folder that holds onnx/model.onnx, too, by --peer-model");
  }
  const environments = { peers, infinity: await install("infinity", onProgress) };
  const versions = await Promise.all(environmentNames.map((name) => versionsIn(environments[name], namedPackages[name])));
  return { environments, models, versions: { python, ...Object.fromEntries(versions.flat()) } };
}

/** A script of this folder, to be run where `name` was installed; or why it was not. */
export function pythonProgram({ environments }: PythonPeers, name: EnvironmentName, script: string): Program | { refusal: string } {
  const found = environments[name];
  if ("refusal" in found) return found;
  // Nothing is fetched, and nobody is told, while it is measured.
  const environment = { HF_HUB_OFFLINE: "1", DO_NOT_TRACK: "1", PYTHONDONTWRITEBYTECODE: "1" };
  return { interpreter: found.interpreter, script: new URL(script, scripts), environment };
}

/** Null where there is none, or one that is too old. */
async function versionOfPython(): Promise<string | null> {
  try {
    const { stdout } = await run("python3", ["--version"]);
    const [, version = "", major = "", minor = ""] = /Python ((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
    const [oldestMajor, oldestMinor] = oldestPython;
    return Number(major) === oldestMajor && Number(minor) >= oldestMinor ? version : null;
  } catch {
    return null;
  }
}

async function install(name: EnvironmentName, onProgress: (line: string) => void): Promise<Environment> {
  const folder = fileURLToPath(new URL(`venv-${name}`, cache));
  const interpreter = `${folder}/bin/python`;
  const wanted = fileURLToPath(new URL(requirements[name], scripts));
  try {
    await unlessDone(`${folder}.installed`, await readFile(wanted, "utf8"), async () => {
      onProgress(`peers: installing bench/peers/${requirements[name]}; this takes minutes and, with torch, gigabytes`);
      await rm(folder, { recursive: true, force: true });
      await execute("python3", ["-m", "venv", folder]);
      await execute(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", wanted]);
    });
    return { interpreter };
  } catch {
    return { refusal: `bench/peers/${requirements[name]} could not be installed` };
  }
}

async function convert(interpreter: string, source: string, models: string, onProgress: (line: string) => void): Promise<void> {
  const script = fileURLToPath(new URL("convert.py", scripts));
  await unlessDone(`${models}.converted`, `${source}\n${await readFile(script, "utf8")}`, async () => {
    onProgress("peers: converting the model");
    await execute(interpreter, [script, source, models]);
  });
}

/** Does something unless it was done in the same state before; `marker` remembers that. */
async function unlessDone(marker: string, state: string, task: () => Promise<void>): Promise<void> {
  const digest = createHash("sha256").update(state).digest("hex");
  if ((await readFile(marker, "utf8").catch(() => "")) === digest) return;
  await task();
  await writeFile(marker, digest);
}

async function versionsIn(environment: Environment, packages: readonly string[]): Promise<[string, string][]> {
  if ("refusal" in environment) return [];
  const { stdout } = await run(environment.interpreter, ["-m", "pip", "list", "--format=json", "--disable-pip-version-check"]);
  const installed = installedSchema.parse(JSON.parse(stdout));
  return installed.filter(({ name }) => packages.includes(name)).map(({ name, version }) => [`${name} (Python)`, version]);
}

/** Rejects unless it ends well. What it says goes to stderr. */
async function execute(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", 2, 2] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}
