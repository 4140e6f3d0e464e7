/** A process that attacks as it is told by its parent, and tells the outcomes. */
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { type Attack, type AttackOrder, type Outcomes, outcomeOf } from "./attack.ts";

/** How long a request may take, in ms: the service admits nothing that it cannot compute in half of that. */
const patience = 40_000;

/** What a client waits after a refusal, in ms. It respects no `Retry-After`. */
const pause = 100;

/** How much of an answer is kept, in bytes: an error is shorter. */
const keptBytes = 16_384;

process.once("disconnect", () => process.exit());
// Attackers come from other machines. Here they share the service's cores.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
process.once("message", async ({ url, attack }: AttackOrder) => {
  const outcomes: Outcomes = {};
  for await (const outcome of run(new URL(url), attack)) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  process.send?.(outcomes);
});

async function* run(url: URL, attack: Attack): AsyncGenerator<string> {
  switch (attack.kind) {
    case "repeat":
      yield* (await Promise.all(Array.from({ length: attack.clients }, (_, client) => repeat(url, attack, client)))).flat();
      break;
    case "parallel": {
      const body = Buffer.from(attack.body);
      yield* await Promise.all(Array.from({ length: attack.requests }, () => post(new URL(attack.path, url), body)));
      break;
    }
    case "never-read":
      yield* await Promise.all(Array.from({ length: attack.clients }, () => neverRead(url, attack)));
      break;
    default:
      yield* await Promise.all(Array.from({ length: attack.sockets }, () => sendSlowly(url, attack)));
  }
}

async function repeat(url: URL, { path, bodies, seconds }: Extract<Attack, { kind: "repeat" }>, client: number): Promise<string[]> {
  const end = performance.now() + seconds * 1000;
  const sent = bodies.map((body) => Buffer.from(body));
  const outcomes: string[] = [];
  for (let turn = client; performance.now() < end; turn++) {
    const outcome = await post(new URL(path, url), sent[turn % sent.length] ?? Buffer.alloc(0));
    outcomes.push(outcome);
    if (outcome !== "200") await wait(pause);
  }
  return outcomes;
}

/** Sends a request on a connection of its own. The answer counts also where it comes before the whole body was sent. */
function post(url: URL, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    let answered = false;
    const sent = request(url, { method: "POST", agent: false, headers }, (response) => {
      const { statusCode = 0 } = response;
      answered = true;
      const kept: Buffer[] = [];
      response.on("data", (chunk: Buffer) => {
        if (statusCode >= 400) kept.push(chunk);
      });
      response.once("end", () => end(outcomeOf(statusCode, Buffer.concat(kept).toString())));
      response.once("close", () => end("cut off"));
    });
    const timer = setTimeout(() => end("unanswered"), patience);
    const end = (outcome: string) => {
      clearTimeout(timer);
      resolve(outcome);
      sent.destroy();
    };
    sent.on("error", () => {
      if (!answered) end("reset");
    });
    sent.end(body);
  });
}

async function neverRead(url: URL, { path, body, seconds }: Extract<Attack, { kind: "never-read" }>): Promise<string> {
  const socket = open(url);
  // A socket that is paused before it is connected reads nothing at all.
  socket.pause();
  socket.write(head("POST", path, url, Buffer.byteLength(body)) + body);
  await wait(seconds * 1000);
  const ended = endOf(socket, 20_000);
  socket.resume();
  return ended;
}

async function sendSlowly(url: URL, { kind, seconds }: Extract<Attack, { kind: "slow-header" | "slow-body" }>): Promise<string> {
  const socket = open(url);
  const ended = endOf(socket, seconds * 1000);
  let left = `${head("POST", "/embed", url, 1_000)}${" ".repeat(1_000)}`;
  if (kind === "slow-body") {
    const bodyStart = left.indexOf("\r\n\r\n") + 4;
    socket.write(left.slice(0, bodyStart));
    left = left.slice(bodyStart);
  }
  const timer = setInterval(() => {
    if (socket.writable) socket.write(left[0] ?? " ");
    left = left.slice(1);
  }, 1_000);
  const outcome = await ended;
  clearInterval(timer);
  return outcome;
}

function open({ hostname, port }: URL): Socket {
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  return socket;
}

function head(method: string, path: string, { host }: URL, length: number): string {
  const headers = [`host: ${host}`, "connection: close", "content-type: application/json", `content-length: ${length}`];
  return `${method} ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`;
}

/** What a socket received when the other end closed it: `unanswered` when that takes longer than `timeout` ms. */
async function endOf(socket: Socket, timeout: number): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    if (bytes < keptBytes) kept.push(chunk);
    bytes += chunk.length;
  });
  const closed = new Promise<true>((resolve) => socket.once("close", () => resolve(true)));
  const inTime = await Promise.race([closed, wait(timeout, false)]);
  socket.destroy();
  if (!inTime) return "unanswered";
  const received = Buffer.concat(kept).toString("latin1");
  const headLength = received.indexOf("\r\n\r\n") + 4;
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(received) ?? [];
  if (status === undefined || headLength < 4) return "reset";
  const [, length = "0"] = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, headLength)) ?? [];
  return bytes - headLength < Number(length) ? "cut off" : outcomeOf(Number(status), received.slice(headLength));
}
