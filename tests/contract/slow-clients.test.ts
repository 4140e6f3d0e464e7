import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServerProcess } from "./server-process.ts";

const body = '{"inputs":"a text"}';
const head = (length: number) =>
  `POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

let server: ServerProcess;
const sockets: Socket[] = [];
const start = async (env: Record<string, string>) => {
  server = await ServerProcess.start({ WORKERS: "1", INTERACTIVE_WORKERS: "0", ...env });
};
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.stop("SIGKILL");
});

const open = async () => {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
};

/** All that a socket is sent until it is closed. */
const readToEnd = async (socket: Socket) => {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
};

/** Sends `text` byte for byte, five of them a second, until the socket is closed. */
const trickle = async (socket: Socket, text: string) => {
  for (const byte of text) {
    if (socket.destroyed || !socket.writable) return;
    socket.write(byte);
    await setTimeout(200);
  }
};

const expectTimeout = (answer: string) => {
  const [head, json] = answer.split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 408 [\s\S]*content-type: application\/json/);
  expect(JSON.parse(json ?? "")).toEqual({ error: expect.any(String), error_type: "Validation", code: "request_timeout" });
};

describe("slow requests", () => {
  beforeEach(() => start({ HEADERS_TIMEOUT: "1", BODY_TIMEOUT: "2" }));

  test("a request with slow headers is answered with 408 and its connection closed", async () => {
    const socket = await open();
    const answer = readToEnd(socket);
    await trickle(socket, head(body.length));
    expectTimeout(await answer);
  });

  test("a request with a slow body is answered with 408 and its connection closed", async () => {
    const socket = await open();
    const answer = readToEnd(socket);
    socket.write(head(1_000));
    await trickle(socket, body.repeat(50));
    expectTimeout(await answer);
  });

  test("a connection that sends nothing is answered with 408 and closed", async () => {
    expectTimeout(await readToEnd(await open()));
  });

  test("a request whose response takes long to compute is not timed out", async () => {
    const texts = Array.from({ length: 60 }, (_, i) => `text ${i} ${"of some length ".repeat(100)}`);
    const started = performance.now();
    const response = await server.embed({ inputs: texts });
    expect(response.status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(2_000);
  });
});

test("headers larger than 16 KiB are answered with 431", async () => {
  await start({});
  const socket = await open();
  socket.write(`GET /health HTTP/1.1\r\nhost: localhost\r\nx-long: ${"a".repeat(17 * 1024)}\r\n\r\n`);
  expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 431 /);
});

test("connections beyond MAX_CONNECTIONS are closed, and accepted again once there is room", async () => {
  await start({ MAX_CONNECTIONS: "3" });
  const held = [await open(), await open(), await open()];
  await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  held[0]?.destroy();
  await expect
    .poll(() =>
      fetch(`${server.url}/health`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
});

describe("WRITE_TIMEOUT", () => {
  /** Asks for 20 MB, more than the system keeps for a client. */
  const ask = async () => {
    const socket = await open();
    socket.pause().write("GET /models/bge-small-en-v1.5/weights-0.bin HTTP/1.1\r\nhost: localhost\r\n\r\n");
    return socket;
  };

  test("WRITE_TIMEOUT closes the connection of a client that does not read its response", async () => {
    await start({ WRITE_TIMEOUT: "1" });
    const socket = await ask();
    await setTimeout(4_000);
    const answer = await readToEnd(socket.resume());
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer.length).toBeLessThan(19_000_000);
  });

  test("WRITE_TIMEOUT spares a client that reads slowly and one whose response is being computed", async () => {
    await start({ WRITE_TIMEOUT: "1" });
    const texts = Array.from({ length: 60 }, (_, i) => `text ${i} ${"of some length ".repeat(100)}`);
    const computed = server.embed({ inputs: texts });
    const socket = await ask();
    let read = 0;
    let allowed = 0;
    socket.on("data", (chunk) => {
      read += chunk.length;
      if (read > allowed) socket.pause();
    });
    const started = performance.now();
    while (read < 19_000_000 && !socket.destroyed) {
      allowed += 800_000;
      socket.resume();
      await setTimeout(200);
    }
    expect(read).toBeGreaterThan(19_000_000);
    expect((await computed).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(3_000);
  });
});

test("a body that has not arrived holds its share of the body budget until its client disconnects", async () => {
  await start({ MAX_BODY_BYTES: "8388608", MAX_BODY_BYTES_IN_FLIGHT: "8388608" });
  await server.embed({ inputs: "warm" });
  const slow = await open();
  slow.write(head(8 * 1024 * 1024));
  const small = () => server.embed({ inputs: "a text" });
  await expect.poll(async () => (await small()).status).toBe(429);
  const refused = await small();
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ code: "overloaded" });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  slow.destroy();
  await expect.poll(async () => (await small()).status).toBe(200);
});

describe("the Host header", () => {
  const statusOf = async (host: string, path = "/health") => {
    const socket = await open();
    socket.end(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    return Number(/^HTTP\/1\.1 (\d+)/.exec(await readToEnd(socket))?.[1]);
  };

  test("the Host header must name this machine or an ALLOWED_HOSTS entry when only this machine reaches the service", async () => {
    await start({ ALLOWED_HOSTS: "Search.example.com" });
    for (const host of ["localhost", "127.0.0.1:80", "[::1]:3000", "search.example.com"]) expect(await statusOf(host), host).toBe(200);
    for (const path of ["/", "/health", "/models/bge-small-en-v1.5/manifest.json", "/nowhere"]) {
      expect(await statusOf("attacker.example", path), path).toBe(421);
    }
  });

  test("the Host header may be any name elsewhere, unless ALLOWED_HOSTS is set", async () => {
    await start({ HOST: "0.0.0.0" });
    expect(await statusOf("any.example")).toBe(200);
    await server.stop();
    await start({ HOST: "0.0.0.0", ALLOWED_HOSTS: "search.example.com" });
    expect(await statusOf("search.example.com")).toBe(200);
    expect(await statusOf("any.example")).toBe(421);
  });
});
