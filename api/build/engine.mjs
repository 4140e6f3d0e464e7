/**
 * A step of the build, before the type-check: compiles the engine's AssemblyScript to dist/engine, once for each kind of host.
 * Plain JavaScript, since it runs before anything is compiled.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const fromHere = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The most that a build may have, in bytes. */
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
  if (contents.length > maxBytes) throw new Error(`${file} has ${contents.length} bytes; at most ${maxBytes} are allowed`);
  await writeFile(file, contents);
}
