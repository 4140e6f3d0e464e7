import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const encoderModule = new URL("../../dist/api/node/encoder.js", import.meta.url).href;

/** Runs a script beside the built encoder and gives its exit code and what it printed to stderr. */
async function run(device: string, script: string): Promise<{ code: number | null; stderr: string }> {
  const source = `import { createEncoder } from ${JSON.stringify(encoderModule)};
const encoder = createEncoder({ workers: 2, device: "${device}" });
const texts = Array.from({ length: 40 }, (_, i) => "text " + i + " of some length".repeat(60));
await encoder.embed(texts.slice(0, 2));
${script}`;
  const file = join(mkdtempSync(join(tmpdir(), "samevec-exit-")), "script.mjs");
  writeFileSync(file, source);
  const child = spawn(process.execPath, [file]);
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "exit");
  return { code, stderr };
}

describe.each(["native", "wasm"])("an encoder on worker threads (%s)", (device) => {
  test("a process may exit while its threads compute: it does not abort", async () => {
    const script = "encoder.embed(texts).catch(() => {}); setTimeout(() => process.exit(7), 120);";
    expect(await run(device, script)).toEqual({ code: 7, stderr: "" });
  });

  test("a process ends by itself once the encoder is disposed", async () => {
    expect(await run(device, "await encoder.dispose();")).toEqual({ code: 0, stderr: "" });
  });

  test("disposing while threads compute ends them between two texts", async () => {
    const script =
      "const busy = encoder.embed(texts).catch((error) => error.code); await encoder.dispose(); process.exitCode = (await busy) === 'disposed' ? 0 : 1;";
    expect(await run(device, script)).toEqual({ code: 0, stderr: "" });
  });
});
