import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Faults } from "./faults.ts";
import { ServerProcess } from "./server-process.ts";

const running: ServerProcess[] = [];
const start = async (env: Record<string, string> = {}) => {
  const server = await ServerProcess.start({ WORKERS: "1", ...env });
  running.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

const long = (count: number) => Array.from({ length: count }, (_, i) => `text ${i} ${"of some length ".repeat(60)}`);

/** Sends texts and resolves once they are admitted. */
async function occupy(server: ServerProcess, count: number): Promise<{ readonly response: Promise<Response> }> {
  await server.embed({ inputs: "warm" });
  const response = server.embed({ inputs: long(count) });
  response.catch(() => {});
  const waiting = async () => Number(/^samevec_queue_texts (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]);
  await expect.poll(waiting, { interval: 10 }).toBeGreaterThan(0);
  return { response };
}

/** Whether the server still takes a new connection. */
const connection = (server: ServerProcess) =>
  fetch(`${server.url}/health`).then(
    () => "answered",
    () => "refused",
  );

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s stops accepting connections, answers every admitted request and exits with code 0",
  async (signal) => {
    const server = await start();
    const busy = await occupy(server, 30);
    const ended = server.stop(signal);
    await expect.poll(() => connection(server)).toBe("refused");
    const response = await busy.response;
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    expect(await response.json()).toHaveLength(30);
    expect(await ended).toBe(0);
  },
);

test("shutdown does not wait for idle connections or connections without a request", async () => {
  const server = await start({ SHUTDOWN_TIMEOUT: "3600" });
  await server.embed({ inputs: "leaves a connection that is kept alive" });
  const { hostname, port } = new URL(server.url);
  const silent = connect(Number(port), hostname);
  await once(silent, "connect");
  expect(await server.stop()).toBe(0);
  silent.destroy();
});

test("shutdown after SHUTDOWN_TIMEOUT answers pending requests with 503", async () => {
  const server = await start({ SHUTDOWN_TIMEOUT: "0.2" });
  const { response } = await occupy(server, 1_000);
  const ended = server.stop();
  expect((await response).status).toBe(503);
  expect(await (await response).json()).toMatchObject({ code: "disposed" });
  expect(await ended).toBe(0);
  expect(server.output).toContain("requests not completed within SHUTDOWN_TIMEOUT: 1");
});

describe("shutdown at most 5 s after SHUTDOWN_TIMEOUT", () => {
  const timeout = 1;

  /** Stops the server. Gives how long that took, in s. */
  const secondsToStop = async (server: ServerProcess) => {
    const start = performance.now();
    await server.stop();
    return (performance.now() - start) / 1000;
  };
  const connectTo = async ({ url }: ServerProcess) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };

  test("shutdown completes while a body arrives slowly", async () => {
    const server = await start({ SHUTDOWN_TIMEOUT: `${timeout}` });
    const socket = await connectTo(server);
    socket.write("POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n");
    const trickle = setInterval(() => socket.write(" "), 50);
    await server.embed({ inputs: "warm" });
    expect(await secondsToStop(server)).toBeLessThan(timeout + 5);
    clearInterval(trickle);
  });

  test("shutdown completes while a client does not read its response", async () => {
    const server = await start({ SHUTDOWN_TIMEOUT: `${timeout}` });
    const socket = await connectTo(server);
    socket.pause().write("GET /models/bge-small-en-v1.5/weights-0.bin HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await server.embed({ inputs: "warm" });
    expect(await secondsToStop(server)).toBeLessThan(timeout + 5);
    socket.destroy();
  });

  test("shutdown completes while a worker hangs in native code, and its client gets an error", async () => {
    const faults = new Faults();
    const env = { ...faults.env, WORKERS: "1", INTERACTIVE_WORKERS: "0", SHUTDOWN_TIMEOUT: `${timeout}` };
    const server = await ServerProcess.start(env, faults.nodeArguments);
    running.push(server);
    await server.embed({ inputs: "warm" });
    faults.add("block");
    const blocked = server.embed({ inputs: "text" });
    await expect.poll(() => faults.left("block")).toBe(0);
    const stopped = secondsToStop(server);
    expect((await blocked).status).toBe(503);
    expect(await stopped).toBeLessThan(timeout + 5);
    expect(server.process.exitCode).toBe(0);
    expect(server.log.at(-1)).toContain("stopped");
  });

  test("shutdown completes while nobody reads the log", async () => {
    const server = await start({ SHUTDOWN_TIMEOUT: `${timeout}` });
    server.process.stdout?.pause();
    for (let i = 0; i < 25; i++)
      await Promise.all(Array.from({ length: 100 }, () => fetch(`${server.url}/nowhere`).then((answer) => answer.text())));
    expect(await secondsToStop(server)).toBeLessThan(timeout + 5);
  });
});

test("a second signal ends the process at once", async () => {
  const server = await start({ SHUTDOWN_TIMEOUT: "3600" });
  const { response } = await occupy(server, 1_000);
  const told = expect(response).rejects.toThrow();
  const ended = server.stop();
  await expect.poll(() => connection(server)).toBe("refused");
  server.process.kill("SIGTERM");
  expect(await ended).toBe(128 + 15);
  await told;
});

test("a rolling restart under load loses no admitted request", async () => {
  const servers = await Promise.all([start(), start()]);
  const replaced: ServerProcess[] = [];
  const sent: string[] = [];
  let retries = 0;
  let answered = 0;
  let done = false;

  /** Takes the servers in turn, and the next one where a connection is refused or was closed before an answer. */
  const ask = async (body: object): Promise<Response> => {
    for (;;) {
      const id = `request-${sent.length}`;
      const server = servers[sent.push(id) % servers.length] ?? expect.fail("no server");
      try {
        return await server.embed(body, { headers: { "x-request-id": id } });
      } catch {
        sent.splice(sent.indexOf(id), 1, `${id}-refused`);
        retries += 1;
      }
    }
  };
  const client = async (name: number) => {
    for (let i = 0; !done; i++) {
      const inputs = Array.from(
        { length: 1 + (i % 6) },
        (_, text) => `client ${name}, request ${i}, text ${text} ${"and more ".repeat(20)}`,
      );
      const response = await ask({ inputs });
      expect(response.status).toBe(200);
      expect(await response.json()).toHaveLength(inputs.length);
      answered += 1;
    }
  };
  const clients = Array.from({ length: 8 }, (_, name) => client(name));

  for (const [place, old] of servers.entries()) {
    const before = answered;
    await expect.poll(() => answered - before, { timeout: 20_000 }).toBeGreaterThan(10);
    expect(await old.stop()).toBe(0);
    replaced.push(old);
    servers[place] = await start();
  }
  const before = answered;
  await expect.poll(() => answered - before, { timeout: 20_000 }).toBeGreaterThan(10);
  done = true;
  await Promise.all(clients);
  await Promise.all(servers.map((server) => server.stop()));

  // Each that a server had was answered, and by 200; those of a connection that was closed never reached one.
  const logged = [...replaced, ...servers].flatMap(({ output }) => output.split("\n").filter((line) => line.includes('"route":"/embed"')));
  const answers = logged.map((line) => JSON.parse(line) as { id: string; status: number });
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(answers.map(({ id }) => id).sort()).toEqual(sent.filter((id) => !id.endsWith("-refused")).sort());
  expect(retries).toBeGreaterThan(0);
});
