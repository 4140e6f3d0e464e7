import { copyFile, mkdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Faults } from "./faults.ts";
import { IndexedNote } from "./indexed-note.ts";
import { InstalledCopy } from "./installed-copy.ts";
import { ModelCopy } from "./model-copy.ts";
import { ask, post } from "./raw-request.ts";
import { ServerProcess } from "./server-process.ts";

let note: IndexedNote;
beforeAll(async () => {
  note = await IndexedNote.create();
});
afterAll(() => note?.remove());

const running: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

const alone = { WORKERS: "1", INTERACTIVE_WORKERS: "0" };

async function start(env: Record<string, string>, nodeArguments: string[] = [], of?: string): Promise<ServerProcess> {
  const server = await ServerProcess.start({ ...alone, ...env }, nodeArguments, of);
  running.push(server);
  return server;
}

describe("a service without its model", () => {
  let installed: InstalledCopy;
  let model: ModelCopy;
  beforeAll(async () => {
    [installed, model] = await Promise.all([InstalledCopy.create([]), ModelCopy.create()]);
    await rm(join(installed.folder, "models"));
  });
  afterAll(() => Promise.all([installed?.remove(), model?.remove()]));

  test.each([
    {
      name: "missing",
      spoil: async () => {},
    },
    {
      name: "damaged",
      async spoil() {
        await model.alter("cpu.onnx");
        await mkdir(join(installed.folder, "models"));
        await symlink(model.directory, join(installed.folder, "models", "bge-small-en-v1.5"));
      },
    },
    {
      name: "incomplete",
      spoil: () => rm(join(model.directory, "tokenizer.json")),
    },
  ])("/health and responses with status 503 contain no file path when the model is $name", async ({ spoil }) => {
    await spoil();
    const { url } = await start({}, [], installed.folder);
    await expect.poll(async () => (await ask(`${url}/health`)).status, { timeout: 20_000 }).toBe(503);
    const answers = [
      await ask(`${url}/health`),
      await post(`${url}/embed`, { inputs: "a" }),
      await post(`${url}/v1/embeddings`, { input: "a" }),
      await ask(`${url}/info`),
    ];
    for (const { status, body } of answers) {
      expect(status, body).toBe(503);
      for (const place of [installed.folder, model.directory, tmpdir()]) expect(body).not.toContain(place);
      expect(body).not.toMatch(/file:\/\/|(^|[\s"'(])\/[\w.-]+\//);
    }
  });
});

test("a service without its index file returns 503 for searches only, and searches once the file exists", async () => {
  const file = join(note.folder, "later.samevec");
  const { url } = await start({ INDEX_FILE: file });
  expect((await ask(`${url}/health`)).status).toBe(200);
  expect(await post(`${url}/search`, { query: "water" })).toMatchObject({
    status: 503,
    code: "index_unavailable",
    headers: { "retry-after": expect.stringMatching(/^[1-9]\d*$/) },
    body: expect.not.stringContaining(note.folder),
  });
  expect((await post(`${url}/embed`, { inputs: "water" })).status).toBe(200);
  await copyFile(note.indexFile, file);
  await expect.poll(async () => (await post(`${url}/search`, { query: "water" })).status, { timeout: 40_000 }).toBe(200);
});

describe("quarantined texts", () => {
  const poisoned = "a text with poison in it";

  /** A server that was asked for the text once. */
  async function startPoisoned() {
    const faults = new Faults();
    const { url } = await start(faults.env, faults.nodeArguments);
    expect((await post(`${url}/embed`, { inputs: "warm" })).status).toBe(200);
    faults.add("poison");
    expect(await post(`${url}/embed`, { inputs: poisoned })).toMatchObject({ status: 503, code: "worker_died" });
    const restarts = async () =>
      Number(/^samevec_worker_restarts_total\{code="worker_died"\} (\d+)/m.exec((await ask(`${url}/metrics`)).body)?.[1]);
    expect(await restarts()).toBe(2);
    return { url, restarts };
  }

  test("a text that ended two workers is rejected with 422 at once and ends no third worker", async () => {
    const { url, restarts } = await startPoisoned();
    const began = performance.now();
    expect(await post(`${url}/embed`, { inputs: poisoned })).toMatchObject({
      status: 422,
      code: "quarantined_text",
      body: expect.not.stringContaining("poison"),
    });
    expect(performance.now() - began).toBeLessThan(500);
    const among = await post(`${url}/embed`, { inputs: ["before", poisoned, "behind"] });
    expect(among).toMatchObject({ status: 422, code: "quarantined_text" });
    expect(JSON.parse(among.body)).toMatchObject({ details: { index: 1 } });
    expect(await post(`${url}/v1/embeddings`, { input: poisoned })).toMatchObject({ code: "quarantined_text" });
    expect(await restarts()).toBe(2);
  });

  test("a quarantined text does not keep other texts from being embedded", async () => {
    const { url, restarts } = await startPoisoned();
    const served = await post(`${url}/embed`, { inputs: ["warm", "other texts", "and more of them"] });
    expect(served.status).toBe(200);
    expect(await restarts()).toBe(2);
  });
});
