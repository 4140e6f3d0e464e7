import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Program } from "../child.ts";
import type { PeerModel } from "./peer-model.ts";

/** Virtual environments: infinity needs older versions than the others. */
const requirements = { peers: "requirements.txt", infinity: "requirements-infinity.txt" } as const;
type EnvironmentName = keyof typeof requirements;

/** The scripts, relative to `dist/bench/peers`. */
const scripts = new URL("../../../bench/peers/", import.meta.url);
/** Environments and converted models: several gigabytes, reused by later runs, ignored by git. */
const cache = fileURLToPath(new URL("../../peers/", import.meta.url));
const models = `${cache}models`;

/** The Python peers, or why they are unavailable. */
export interface PythonPeers {
  readonly refusals: Readonly<Record<EnvironmentName, string | null>>;
  /** Output folder of `convert.py`. */
  readonly models: string;
  /** Pinned versions of the packages. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Installs the Python peers and converts the model for them, once. Requires `python3` 3.10 or later. */
export async function installPeers(peer: PeerModel): Promise<PythonPeers> {
  await mkdir(cache, { recursive: true });
  const source = "directory" in peer ? peer.directory : peer.hub;
  const failed =
    (await refusalOf("bench/peers/requirements.txt could not be installed", () => install("peers"))) ??
    (await refusalOf("the model could not be converted; --peer-model needs onnx/model.onnx too", () => convert(source)));
  const infinity = await refusalOf("bench/peers/requirements-infinity.txt could not be installed", () => install("infinity"));
  const pinned = (await readScript("requirements.txt")) + (await readScript("requirements-infinity.txt"));
  const versions = Array.from(pinned.matchAll(/^([\w-]+)\S*==(\S+)/gm), ([, name = "", version = ""]) => [`${name} (Python)`, version]);
  return { refusals: { peers: failed, infinity: failed ?? infinity }, models, versions: Object.fromEntries(versions) };
}

/** A script of this folder in the environment `name`, or why it is unavailable. */
export function pythonProgram({ refusals }: PythonPeers, name: EnvironmentName, script: string): Program | { readonly refusal: string } {
  const refusal = refusals[name];
  if (refusal !== null) return { refusal };
  // No network during the measurement.
  const environment = { HF_HUB_OFFLINE: "1", DO_NOT_TRACK: "1", PYTHONDONTWRITEBYTECODE: "1" };
  return { interpreter: interpreterOf(name), script: new URL(script, scripts), environment };
}

const interpreterOf = (name: EnvironmentName) => `${cache}venv-${name}/bin/python`;
const readScript = (name: string) => readFile(new URL(name, scripts), "utf8");

async function refusalOf(reason: string, task: () => Promise<void>): Promise<string | null> {
  try {
    await task();
    return null;
  } catch (error) {
    console.error(error);
    return reason;
  }
}

async function install(name: EnvironmentName): Promise<void> {
  const folder = `${cache}venv-${name}`;
  const file = fileURLToPath(new URL(requirements[name], scripts));
  await unlessDone(`${folder}.installed`, await readScript(requirements[name]), async () => {
    console.error(`peers: installing bench/peers/${requirements[name]}; this takes minutes and gigabytes`);
    await rm(folder, { recursive: true, force: true });
    await execute("python3", ["-m", "venv", folder]);
    await execute(interpreterOf(name), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", file]);
  });
}

async function convert(source: string): Promise<void> {
  const script = fileURLToPath(new URL("convert.py", scripts));
  await unlessDone(`${models}.converted`, `${source}\n${await readScript("convert.py")}`, async () => {
    console.error("peers: converting the model");
    await execute(interpreterOf("peers"), [script, source, models]);
  });
}

/** Runs a task unless `marker` records the same state. */
async function unlessDone(marker: string, state: string, task: () => Promise<void>): Promise<void> {
  const digest = createHash("sha256").update(state).digest("hex");
  if ((await readFile(marker, "utf8").catch(() => "")) === digest) return;
  await task();
  await writeFile(marker, digest);
}

/** Rejects unless the command succeeds. Its output goes to stderr. */
async function execute(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", 2, 2] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}
