/**
 * Build step: compiles the AssemblyScript of the engine and of the vector scan to dist/engine. It is plain JavaScript because it runs
 * before TypeScript is compiled.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const fromHere = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Maximum size of a build in bytes. */
const maxBytes = 25_000;

const engine = "../../shared/engine/assembly/index.ts";

/** For the builds of the engine see `EngineBuild` in shared/engine/builds.ts. */
const builds = {
  plain: [engine, "--enable", "simd", "--use", "CHECKED_BUILD=0"],
  checked: [engine, "--enable", "simd", "--use", "CHECKED_BUILD=1"],
  relaxed: [engine, "--enable", "simd,relaxed-simd", "--use", "CHECKED_BUILD=0"],
  scan: ["../../shared/index/assembly/scan.ts", "--enable", "simd"],
};

const common = ["--optimizeLevel", "3", "--noAssert", "--runtime", "stub"];

const directory = fromHere("../../dist/engine/");
await mkdir(directory, { recursive: true });

for (const [name, [source, ...options]] of Object.entries(builds)) {
  const file = `${directory}${name}.wasm`;
  const { error, stderr } = await asc.main(
    [basename(source), "--baseDir", fromHere(dirname(source)), "--outFile", file, ...common, ...options],
    { writeFile: (path, contents) => (path.endsWith(".wasm") ? save(file, contents) : undefined) },
  );
  if (error) {
    process.stderr.write(stderr.toString());
    throw error;
  }
}

async function save(file, contents) {
  if (contents.length > maxBytes) throw new Error(`${file} has ${contents.length} bytes. The limit is ${maxBytes}`);
  await writeFile(file, contents);
}
