import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createEncoder } from "../../dist/api/node/encoder.js";
import { embedResponseSchema, serviceInfoSchema } from "../../shared/contract.ts";
import { Exposition } from "../exposition.ts";
import { testServiceConformance } from "../service-conformance.ts";
import { CommandLine } from "./command-line.ts";
import { Faults } from "./faults.ts";
import { InstalledCopy } from "./installed-copy.ts";
import { ServerProcess } from "./server-process.ts";

const running: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});
const start = async (...args: Parameters<typeof ServerProcess.start>) => {
  const server = await ServerProcess.start(...args);
  running.push(server);
  return server;
};

const alone = { WORKERS: "1", INTERACTIVE_WORKERS: "0" };

/** What a server says of its device once it has embedded a text: in `/info`, in `/metrics`, and in its log. */
async function devicesOf(server: ServerProcess): Promise<unknown> {
  expect((await server.embed({ inputs: "warm" })).status).toBe(200);
  const info = serviceInfoSchema.parse(await (await fetch(`${server.url}/info`)).json());
  const metrics = new Exposition(await (await fetch(`${server.url}/metrics`)).text());
  const logged = () => server.log.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ msg }) => msg === "model loaded");
  const loaded = await vi.waitUntil(logged);
  const samples = metrics.samples.filter(({ name }) => name === "samevec_device_workers");
  return { info: info.device, log: loaded.device, metrics: samples.map(({ labels, value }) => ({ ...labels, workers: value })) };
}
const allSay = (device: string) => ({ info: device, log: device, metrics: [{ device, workers: 1 }] });

/** What `samevec info` says. */
async function infoOf(args: readonly string[], env: Record<string, string> = {}, folder?: string): Promise<unknown> {
  const ended = await CommandLine.run(["info", "--json", ...args], { env, ...(folder !== undefined && { folder }) });
  if (ended.code !== 0) return ended;
  const { device, versions } = JSON.parse(ended.stdout) as { device: string; versions: object };
  return { device, runtime: "onnxruntime" in versions };
}

testServiceConformance("the Node server on the WebAssembly engine", async () => {
  const server = await ServerProcess.start({ WORKERS: "2", DEVICE: "wasm" });
  return { send: (path, init) => fetch(`${server.url}${path}`, init), stop: () => server.stop() };
});

describe("where onnxruntime-node is installed", () => {
  test.each([
    ["native by default", undefined, "native"],
    ['native when set to "native"', "native", "native"],
    ['wasm when set to "wasm"', "wasm", "wasm"],
  ] as const)("with onnxruntime-node installed, the encoder's device is %s", async (_, device, expected) => {
    const encoder = createEncoder({ workers: 1, ...(device && { device }) });
    try {
      await encoder.load();
      expect(encoder.info().device).toBe(expected);
    } finally {
      await encoder.dispose();
    }
  });

  test("the server reports the device it computes on", async () => {
    expect(await devicesOf(await start(alone))).toEqual(allSay("native"));
    expect(await devicesOf(await start({ ...alone, DEVICE: "wasm" }))).toEqual(allSay("wasm"));
  });

  test("samevec info reports the device, and --device takes precedence over DEVICE", async () => {
    expect(await infoOf([])).toEqual({ device: "native", runtime: true });
    expect(await infoOf(["--device", "wasm"], { DEVICE: "native" })).toEqual({ device: "wasm", runtime: false });
    expect(await infoOf([], { DEVICE: "wasm" })).toEqual({ device: "wasm", runtime: false });
    expect((await CommandLine.run(["info", "--device", "wasm"])).stdout).toMatch(/^device +wasm$/m);
  });

  test("samevec embed, index, search and serve accept --device", async () => {
    const { stdout } = await CommandLine.run(["embed", "--device", "wasm", "--workers", "1"], { input: "how tides work" });
    const encoder = createEncoder({ workers: 1, device: "wasm" });
    const { vectors } = await encoder.embed("how tides work");
    await encoder.dispose();
    expect(Float32Array.from((JSON.parse(stdout) as { embedding: number[] }).embedding)).toEqual(vectors[0]);
    for (const name of ["index", "search", "serve"]) expect((await CommandLine.run([name, "--help"])).stdout).toContain("--device");
  });

  test("the server and the command reject an unknown device, naming DEVICE", async () => {
    await expect(start({ DEVICE: "gpu" })).rejects.toThrow(/code 2: .*environment[\s\S]*DEVICE: must be native or wasm/);
    expect(await infoOf(["--device", "webgpu"])).toMatchObject({ code: 2, stderr: expect.stringContaining("DEVICE") });
  });
});

describe("where onnxruntime-node is not installed", () => {
  let copy: InstalledCopy;
  beforeAll(async () => {
    copy = await InstalledCopy.create(["onnxruntime-node"]);
  });
  afterAll(() => copy.remove());

  test("without onnxruntime-node, the server and the command compute on the engine", async () => {
    expect(await devicesOf(await start(alone, [], copy.folder))).toEqual(allSay("wasm"));
    expect(await infoOf([], {}, copy.folder)).toEqual({ device: "wasm", runtime: false });
  });

  test('without onnxruntime-node, device "native" is rejected', async () => {
    const server = await start({ ...alone, DEVICE: "native" }, [], copy.folder);
    const refused = await server.embed({ inputs: "text" });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: "device_unavailable" });
    const named = await infoOf(["--device", "native"], {}, copy.folder);
    expect(named).toMatchObject({ code: 1, stderr: expect.stringMatching(/^samevec: onnxruntime-node cannot be imported: .*\n$/) });
  });
});

test.each(["exit", "trap"] as const)("a worker whose engine fails (%s) is replaced, and its text is embedded", async (fault) => {
  const faults = new Faults();
  const server = await start({ ...alone, ...faults.env, DEVICE: "wasm" }, faults.nodeArguments);
  await server.embed({ inputs: "warm" });
  faults.add(fault);
  const [vector = []] = embedResponseSchema.parse(await (await server.embed({ inputs: "how tides work" })).json());
  const encoder = createEncoder({ workers: 1, device: "wasm" });
  const { vectors } = await encoder.embed("how tides work");
  await encoder.dispose();
  expect(Float32Array.from(vector)).toEqual(vectors[0]);
  const metrics = new Exposition(await (await fetch(`${server.url}/metrics`)).text());
  expect(metrics.sum("samevec_worker_restarts_total", { code: fault === "exit" ? "worker_died" : "inference_failed" })).toBe(1);
  expect(metrics.sum("samevec_device_workers", { device: "wasm" })).toBe(1);
});
