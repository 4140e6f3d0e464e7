import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const encoderModule = new URL("../../dist/api/node/encoder.js", import.meta.url).href;

/** Runs a script beside the built encoder: its exit code, what it printed to stderr, and how many of its processes are left. */
async function run(device: string, script: string): Promise<{ code: number | null; stderr: string; left: () => number }> {
  const mark = `TEST_RUN=${randomUUID()}`;
  const source = `import { createEncoder } from ${JSON.stringify(encoderModule)};
const encoder = createEncoder({ workers: 2, device: "${device}" });
const texts = Array.from({ length: 40 }, (_, i) => "text " + i + " of some length".repeat(60));
await encoder.embed(texts.slice(0, 2));
${script}`;
  const file = join(mkdtempSync(join(tmpdir(), "samevec-exit-")), "script.mjs");
  writeFileSync(file, source);
  const [name = "", value] = mark.split("=");
  const child = spawn(process.execPath, [file], { env: { ...process.env, [name]: value } });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "exit");
  return { code, stderr, left: () => readdirSync("/proc").filter((pid) => hasVariable(pid, mark)).length };
}

function hasVariable(pid: string, variable: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").includes(variable);
  } catch {
    return false; // no process, ended meanwhile, or another user's
  }
}

describe.each(["native", "wasm"])("an encoder in worker processes (%s)", (device) => {
  test("a process that exits while its workers compute ends its workers", async () => {
    const script = "encoder.embed(texts).catch(() => {}); setTimeout(() => process.exit(7), 120);";
    const { left, ...exit } = await run(device, script);
    expect(exit).toEqual({ code: 7, stderr: "" });
    await expect.poll(left).toBe(0);
  });

  test("a killed process leaves no worker behind", async () => {
    const script = "encoder.embed(texts).catch(() => {}); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 120);";
    const { left, code } = await run(device, script);
    expect(code).toBeNull();
    await expect.poll(left, { timeout: 10_000 }).toBe(0);
  });

  test("a process exits by itself once the encoder is disposed", async () => {
    expect(await run(device, "await encoder.dispose();")).toMatchObject({ code: 0, stderr: "" });
  });

  test("disposing an encoder ends workers that are computing", async () => {
    const script =
      "const busy = encoder.embed(texts).catch((error) => error.code); await encoder.dispose(); process.exitCode = (await busy) === 'disposed' ? 0 : 1;";
    expect(await run(device, script)).toMatchObject({ code: 0, stderr: "" });
  });
});
