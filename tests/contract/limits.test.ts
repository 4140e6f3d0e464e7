import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IndexedNote } from "./indexed-note.ts";
import { ask, post, RawConnection } from "./raw-request.ts";
import { ServerProcess } from "./server-process.ts";

let note: IndexedNote;
beforeAll(async () => {
  note = await IndexedNote.create();
});
afterAll(() => note?.remove());

const running: ServerProcess[] = [];
const connections: RawConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

async function start(env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await ServerProcess.start({ WORKERS: "1", INTERACTIVE_WORKERS: "0", ...env });
  running.push(server);
  return server;
}

function connectTo({ url }: ServerProcess): RawConnection {
  const connection = new RawConnection(url);
  connections.push(connection);
  return connection;
}

const retryAfter = { "retry-after": expect.stringMatching(/^[1-9]\d*$/) };
const long = (count: number) => Array.from({ length: count }, (_, i) => `text ${i} ${"of some length ".repeat(60)}`);

/** How long each of `calls` takes, in ms: the shortest of five times. */
async function shortest(call: (round: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await call(round);
    times.push(performance.now() - began);
  }
  return Math.min(...times);
}

describe("POST /tokenize", () => {
  test("POST /tokenize accepts up to 8,192 tokens and rejects more with 413 before counting them", async () => {
    const { url } = await start();
    const tokenize = (inputs: string | string[]) => post(`${url}/tokenize`, { inputs });
    expect((await tokenize(Array.from({ length: 4 }, () => "!".repeat(1_000)))).status).toBe(200);
    expect(await tokenize(Array.from({ length: 10 }, () => "!".repeat(1_000)))).toMatchObject({ status: 413, code: "too_many_tokens" });
    const halves = await tokenize(["a".repeat(32_769), "a".repeat(32_769)]);
    expect(halves.status).toBe(413);
    expect(["text_too_long", "too_many_tokens"]).toContain(halves.code);
  });

  test("POST /tokenize rejects 200,000 punctuation marks faster than it answers an ordinary request", async () => {
    const { url } = await start();
    await post(`${url}/embed`, { inputs: "warm" });
    const signs = "!".repeat(200_000);
    const ordinary = await shortest((round) => post(`${url}/embed`, { inputs: long(8).map((text) => `${round} ${text}`) }));
    const refused = await shortest(async () => expect((await post(`${url}/tokenize`, { inputs: signs })).status).toBe(413));
    expect(refused).toBeLessThan(ordinary);
  });
});

test("1,024 equal texts count as 1,024 in the queue, even when their vector is cached", async () => {
  const server = await start({ QUEUE_TEXTS: "100" });
  const { url } = server;
  const equal = (text: string) => ({ inputs: Array.from({ length: 1_024 }, () => text) });
  await post(`${url}/embed`, { inputs: "kept" });
  const busy = post(`${url}/embed`, { inputs: long(60) });
  const waiting = async () => Number(/^samevec_queue_texts (\d+)/m.exec((await ask(`${url}/metrics`)).body)?.[1]);
  await expect.poll(waiting, { interval: 10 }).toBeGreaterThan(0);
  expect(await post(`${url}/embed`, equal("new"))).toMatchObject({ status: 429, code: "overloaded", headers: retryAfter });
  expect(await post(`${url}/embed`, equal("kept"))).toMatchObject({ status: 429, code: "overloaded", headers: retryAfter });
  expect((await busy).status).toBe(200);
});

describe("content types", () => {
  const bodies: Readonly<Record<string, string>> = {
    "/embed": '{"inputs":"a"}',
    "/": '{"inputs":"a"}',
    "/tokenize": '{"inputs":"a"}',
    "/similarity": '{"inputs":{"source_sentence":"a","sentences":["b"]}}',
    "/search": '{"query":"a"}',
    "/v1/embeddings": '{"input":"a"}',
  };
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start({ WORKERS: "1", INTERACTIVE_WORKERS: "0", INDEX_FILE: note.indexFile });
  });
  afterAll(() => server?.stop("SIGKILL"));

  test.each(Object.entries(bodies))("POST %s accepts only JSON content types", async (path, body) => {
    const send = (headers: Record<string, string>) => ask(`${server.url}${path}`, { method: "POST", headers, body });
    for (const type of ["application/json", "application/json; charset=utf-8", "application/vnd.api+json"]) {
      expect((await send({ "content-type": type })).status, type).toBe(200);
    }
    for (const type of ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      expect(await send({ "content-type": type }), type).toMatchObject({ status: 415, code: "unsupported_media_type" });
    }
    expect(await send({})).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  test.each(Object.keys(bodies))("POST %s without a body or content type is rejected with 400 invalid_json", async (path) => {
    expect(await ask(`${server.url}${path}`, { method: "POST" })).toMatchObject({ status: 400, code: "invalid_json" });
  });
});

describe("the Host header", () => {
  const health = ({ url }: ServerProcess, host: string) => ask(`${url}/health`, { headers: { host } });

  test("the Host header must name this machine when the service listens on a loopback address", async () => {
    const server = await start();
    const { port } = new URL(server.url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect((await health(server, host)).status, host).toBe(200);
    }
    for (const host of ["attacker.example", `attacker.example:${port}`, "localhost.attacker.example", "search.example"]) {
      expect(await health(server, host), host).toMatchObject({ status: 421, code: "unknown_host" });
    }
    expect(await post(`${server.url}/embed`, { inputs: "a" }, { host: "attacker.example" })).toMatchObject({ status: 421 });
    expect(await ask(server.url, { headers: { host: "attacker.example" } })).toMatchObject({ status: 421 });
  });

  test("the Host header may be one of ALLOWED_HOSTS", async () => {
    const server = await start({ ALLOWED_HOSTS: "search.example" });
    expect((await health(server, "search.example")).status).toBe(200);
    expect((await health(server, `localhost:${new URL(server.url).port}`)).status).toBe(200);
    expect(await health(server, "attacker.example")).toMatchObject({ status: 421, code: "unknown_host" });
  });

  test("the Host header may be any name when the service listens on all addresses and ALLOWED_HOSTS is unset", async () => {
    const server = await start({ HOST: "0.0.0.0" });
    expect((await health(server, "anything.example")).status).toBe(200);
  });
});

describe("slow clients and many connections", () => {
  test("a body sent too slowly is answered with 408 after BODY_TIMEOUT", async () => {
    const connection = connectTo(await start({ BODY_TIMEOUT: "2" }));
    const began = performance.now();
    connection.sendHead("POST", "/embed", { "content-type": "application/json", "content-length": "1000" });
    await connection.trickle(" ".repeat(20), 500);
    expect(connection.outcome).toBe(408);
    expect(connection.closed).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(1_500);
  });

  test("a connection whose headers arrive too slowly is closed after HEADERS_TIMEOUT", async () => {
    const connection = connectTo(await start({ HEADERS_TIMEOUT: "2" }));
    await connection.trickle("GET /health HTTP/1.1", 500);
    expect(connection.closed).toBe(true);
    expect([408, "closed"]).toContain(connection.outcome);
  });

  test("connections beyond MAX_CONNECTIONS are closed, and those within it are answered", async () => {
    const server = await start({ MAX_CONNECTIONS: "20" });
    const first = Array.from({ length: 20 }, () => connectTo(server));
    expect(await Promise.all(first.map((connection) => connection.answersHealth()))).not.toContain(false);
    const more = Array.from({ length: 10 }, () => connectTo(server));
    await expect.poll(() => more.every(({ closed }) => closed), { timeout: 5_000 }).toBe(true);
    expect(await Promise.all(first.map((connection) => connection.answersHealth()))).not.toContain(false);
    for (const connection of first) connection.close();
    await expect.poll(() => connectTo(server).answersHealth(), { timeout: 5_000 }).toBe(true);
  });

  test("a connection whose body was rejected unread either announces its close or accepts the next request", async () => {
    const connection = connectTo(await start({ MAX_BODY_BYTES: "1000" }));
    connection.sendHead("POST", "/embed", { "content-type": "application/json", "content-length": "9000000" });
    connection.socket.write(" ".repeat(9_000_000));
    await expect.poll(() => connection.outcome, { timeout: 5_000 }).toBe(413);
    if (/\r\nconnection: close\r\n/i.test(connection.received)) return;
    await wait(1_000);
    expect(await connection.answersHealth()).toBe(true);
  });

  test.each([
    { name: "declared", headers: { "content-length": "800000" }, start: "" },
    { name: "received in chunks", headers: { "transfer-encoding": "chunked" }, start: `c3500\r\n${" ".repeat(800_000)}\r\n` },
  ])("bodies beyond MAX_BODY_BYTES_IN_FLIGHT are rejected with 429 before they are read: $name", async ({ headers, start: sent }) => {
    const server = await start({ MAX_BODY_BYTES_IN_FLIGHT: String(2 ** 20) });
    const declared = { "content-type": "application/json", "content-length": "800000" };
    const first = connectTo(server);
    first.sendHead("POST", "/embed", { "content-type": "application/json", ...headers });
    first.socket.write(sent);
    await wait(500);
    const second = connectTo(server);
    second.sendHead("POST", "/embed", declared);
    await expect.poll(() => second.outcome, { timeout: 5_000 }).toBe(429);
    expect(second.received).toMatch(/\r\nretry-after: [1-9]/i);
    expect((await post(`${server.url}/embed`, { inputs: "small" })).status).toBe(200);

    first.close();
    const body = '{"inputs":"as large"}'.padEnd(800_000);
    const again = () => ask(`${server.url}/embed`, { method: "POST", headers: declared, body });
    await expect.poll(async () => (await again()).status, { timeout: 5_000 }).toBe(200);
  });
});

describe("API keys", () => {
  const keys = ["first-key-123", "second-key-456"];
  const bearer = (key = "") => ({ authorization: `Bearer ${key}` });

  test("each API key may send RATE_LIMIT requests a second, and the next is rejected with 429", async () => {
    const { url } = await start({ API_KEYS: keys.join(","), RATE_LIMIT: "5" });
    const embed = (key?: string) => post(`${url}/embed`, { inputs: "kept" }, bearer(key));
    expect((await embed(keys[1])).status).toBe(200);
    const statuses: number[] = [];
    for (let request = 0; request < 5; request++) statuses.push((await embed(keys[0])).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(await embed(keys[0])).toMatchObject({ status: 429, code: expect.any(String), headers: retryAfter });
    expect((await embed(keys[1])).status).toBe(200);
    await wait(1_200);
    expect((await embed(keys[0])).status).toBe(200);
  });

  test("no response header reveals to one API key that another has sent the same text", async () => {
    const { url } = await start({ API_KEYS: keys.join(",") });
    await post(`${url}/embed`, { inputs: "warm" }, bearer(keys[0]));
    const headersOf = async (path: string, body: object, key?: string) => (await post(`${url}${path}`, body, bearer(key))).headers;
    for (const [path, body] of [
      ["/embed", { inputs: "a secret" }],
      ["/v1/embeddings", { input: "another secret" }],
    ] as const) {
      const fresh = await headersOf(path, body, keys[0]);
      const cached = await headersOf(path, body, keys[1]);
      expect(Object.keys(cached).sort(), path).toEqual(Object.keys(fresh).sort());
      const computed = (headers: typeof fresh) => Object.entries(headers).filter(([name]) => name.startsWith("x-compute-"));
      expect(computed(cached), path).toEqual(computed(fresh));
      for (const [name, value] of Object.entries(cached)) if (/^x-.*-time$/.test(name)) expect(value, `${path} ${name}`).not.toBe("0");
    }
  });
});
