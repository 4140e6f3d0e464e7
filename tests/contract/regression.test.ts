import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const benchmark = fileURLToPath(new URL("../../dist/bench/main.js", import.meta.url));

/** Six rounds on a machine that does much else, in ms. */
const patience = 300_000;

test("the benchmark's performance ratios are no worse than the kept results", { timeout: patience, retry: 0 }, async () => {
  const { code, output } = await new Promise<{ code: number | null; output: string }>((resolve) => {
    const child = execFile(process.execPath, [benchmark, "--check"], { timeout: patience - 5_000 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
  expect(code, output).toBe(0);
});
