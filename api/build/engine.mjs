/**
 * Build step: compiles the engine's AssemblyScript to dist/engine, once per build variant. It is plain JavaScript because it runs before
 * TypeScript is compiled.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const fromHere = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Maximum size of a build in bytes. */
const maxBytes = 25_000;

/** See `EngineBuild` in shared/engine/builds.ts. */
const builds = {
  plain: ["--enable", "simd", "--use", "CHECKED_BUILD=0"],
  checked: ["--enable", "simd", "--use", "CHECKED_BUILD=1"],
  relaxed: ["--enable", "simd,relaxed-simd", "--use", "CHECKED_BUILD=0"],
};

const source = fromHere("../../shared/engine/assembly/");
const directory = fromHere("../../dist/engine/");
await mkdir(directory, { recursive: true });

for (const [name, options] of Object.entries(builds)) {
  const file = `${directory}${name}.wasm`;
  const { error, stderr } = await asc.main(
    ["index.ts", "--baseDir", source, "--outFile", file, "--optimizeLevel", "3", "--noAssert", "--runtime", "stub", ...options],
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
