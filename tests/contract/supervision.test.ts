import { afterEach, expect, test } from "vitest";
import { Faults } from "./faults.ts";
import { ServerProcess } from "./server-process.ts";
import { workerProcesses } from "./worker-processes.ts";

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

test("a worker that dies is replaced without a failed request, and /health reports degraded meanwhile", async () => {
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

test("a text whose worker dies twice gets one 503 and is rejected from then on, and other texts are embedded", async () => {
  const { server, faults } = await startFragile(alone);
  await server.embed({ inputs: "warm" });
  faults.add("exit", 2);
  const unlucky = await server.embed({ inputs: "text" });
  expect(unlucky.status).toBe(503);
  expect(await unlucky.json()).toMatchObject({ code: "worker_died", details: { index: 0 } });
  expect(unlucky.headers.get("retry-after")).toMatch(/^\d+$/);
  const again = await server.embed({ inputs: ["other", "text"] });
  expect(again.status).toBe(422);
  expect(await again.json()).toMatchObject({ code: "quarantined_text", details: { index: 1 } });
  expect((await server.embed({ inputs: "other" })).status).toBe(200);
});

test("a worker that runs out of memory is replaced, and its text is embedded", async () => {
  const { server, faults, health } = await startFragile(alone, { nodeArguments: ["--max-old-space-size=100"] });
  await server.embed({ inputs: "warm" });
  faults.add("memory");
  expect((await server.embed({ inputs: "text" })).status).toBe(200);
  expect(await health()).toMatchObject({ status: "ok" });
});

test("/health returns 503 without library messages when every load fails, and recovers by itself", async () => {
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

test.each(["hang", "spin", "block", "crash"] as const)(
  "a worker that fails by %s is replaced, its text is embedded, and its process ended",
  async (fault) => {
    const { server, faults, health } = await startFragile({ ...alone, RUN_TIMEOUT: "1" });
    await server.embed({ inputs: "warm" });
    const [first] = workerProcesses(server.process.pid);
    faults.add(fault);
    // A worker that spins takes its fault by itself.
    if (fault === "spin") await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await server.embed({ inputs: "text" })).status).toBe(200);
    await expect.poll(health, { timeout: 20_000 }).toMatchObject({ status: "ok", workers: { ready: 1, size: 1 } });
    const now = workerProcesses(server.process.pid);
    expect(now).toHaveLength(1);
    expect(now).not.toContain(first);
  },
);
