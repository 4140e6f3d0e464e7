import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Faults } from "./faults.ts";
import { ServerProcess } from "./server-process.ts";

const running: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

/** A server whose workers can be made to fail. */
async function startFragile(env: Record<string, string>, { faults = new Faults(), nodeArguments = [] as string[] } = {}) {
  const server = await ServerProcess.start({ ...faults.env, ...env }, [...faults.nodeArguments, ...nodeArguments]);
  running.push(server);
  const health = async () => {
    const response = await fetch(`${server.url}/health`);
    return { code: response.status, ...((await response.json()) as { status: string; error?: string; workers: object }) };
  };
  return { server, faults, health };
}

const texts = Array.from({ length: 12 }, (_, i) => `text ${i}`);
const alone = { WORKERS: "1", INTERACTIVE_WORKERS: "0" };

test("a worker that dies is replaced, nobody notices, and /health says degraded meanwhile", async () => {
  const { server, faults, health } = await startFragile({ WORKERS: "2" });
  await expect.poll(health, { timeout: 20_000 }).toMatchObject({ code: 200, status: "ok", workers: { ready: 3, size: 3 } });
  const before = await (await server.embed({ inputs: texts })).json();
  faults.add("load-waits");
  faults.add("exit");
  // Others than before, as those are cached.
  const during = await server.embed({ inputs: texts.map((text) => `${text}!`) });
  expect(during.status).toBe(200);
  expect(await health()).toMatchObject({ code: 200, status: "degraded", workers: { ready: 2, size: 3 } });
  expect(await (await server.embed({ inputs: texts })).json()).toEqual(before);
  faults.remove("load-waits");
  await expect.poll(health, { timeout: 20_000 }).toMatchObject({ code: 200, status: "ok", workers: { ready: 3, size: 3 } });
  expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('samevec_worker_restarts_total{code="worker_died"} 1');
});

test("a text whose worker dies twice is one 503, and the next caller is served", async () => {
  const { server, faults } = await startFragile(alone);
  await server.embed({ inputs: "warm" });
  faults.add("exit", 2);
  const unlucky = await server.embed({ inputs: "text" });
  expect(unlucky.status).toBe(503);
  expect(await unlucky.json()).toMatchObject({ code: "worker_died", details: { index: 0 } });
  expect(unlucky.headers.get("retry-after")).toMatch(/^\d+$/);
  expect((await server.embed({ inputs: "text" })).status).toBe(200);
});

test("a worker that runs out of memory is replaced, and its text served", async () => {
  const { server, faults, health } = await startFragile(alone, { nodeArguments: ["--max-old-space-size=100"] });
  await server.embed({ inputs: "warm" });
  faults.add("memory");
  expect((await server.embed({ inputs: "text" })).status).toBe(200);
  expect(await health()).toMatchObject({ status: "ok" });
});

test("when every load fails, /health is 503 without what a library said, and recovers by itself", async () => {
  const faults = new Faults();
  faults.add("load-fails");
  const { server, health } = await startFragile({ WORKERS: "2" }, { faults });
  await expect.poll(health, { timeout: 20_000 }).toMatchObject({ code: 503, status: "failed", error: "The model could not be loaded" });
  const refused = await server.embed({ inputs: "text" });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: "load_failed" });
  faults.remove("load-fails");
  await expect.poll(health, { timeout: 40_000 }).toMatchObject({ code: 200, status: "ok" });
  expect((await server.embed({ inputs: "text" })).status).toBe(200);
});

test.each(["hang", "spin"] as const)(
  "a thread that hangs (%s) is replaced, its text served, and the thread stopped where it can be",
  async (fault) => {
    const faults = new Faults();
    const encoder = new URL("../../dist/api/node/encoder.js", import.meta.url);
    const script = join(mkdtempSync(join(tmpdir(), "samevec-hang-")), "script.mjs");
    const source = `
    import { createEncoder } from ${JSON.stringify(encoder.href)};
    const exits = [];
    process.on("worker", (thread) => exits.push(new Promise((resolve) => thread.once("exit", resolve))));
    const encoder = createEncoder({ workers: 1, runTimeout: 500 });
    await encoder.embed("warm");
    process.once("message", async () => {
      const { vectors } = await encoder.embed("text");
      process.send({ vectors: vectors.length, threads: exits.length });
      await exits[0];
      process.send("stopped");
    });
    process.send("loaded");`;
    writeFileSync(script, source);
    const child = spawn(process.execPath, [...faults.nodeArguments, script], {
      env: { ...process.env, ...faults.env },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    try {
      const told = async (): Promise<unknown> => (await once(child, "message"))[0];
      expect(await told()).toBe("loaded");
      faults.add(fault);
      // A thread that spins takes its fault by itself.
      if (fault === "spin") await new Promise((resolve) => setTimeout(resolve, 200));
      child.send("go");
      expect(await told()).toEqual({ vectors: 1, threads: 2 });
      expect(await told()).toBe("stopped");
    } finally {
      child.kill("SIGKILL");
    }
  },
);
