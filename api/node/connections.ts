import type { Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ErrorResponse } from "../../shared/contract.ts";
import { EncoderError } from "../../shared/errors.ts";

/** What a client may hold of the server. Times in ms. */
export interface ConnectionLimits {
  /** The most connections at once. */
  readonly maxConnections: number;
  /** For a request's headers to arrive; a connection on which nothing was ever sent included. */
  readonly headersTimeout: number;
  /** For a whole request to arrive. */
  readonly bodyTimeout: number;
  /** Without a byte of an answer being read. */
  readonly writeTimeout: number;
}

/**
 * How long a connection may be idle between two requests, in ms: longer than load balancers keep one (60 s by default), so
 * that it is they who close it, and no request is sent on a connection that is just being closed.
 */
const keepAliveTimeout = 65_000;

/** What `createServer` has to be told of the limits. */
export function serverOptions({ headersTimeout, bodyTimeout }: ConnectionLimits): ServerOptions {
  const shortest = Math.min(headersTimeout, bodyTimeout);
  return {
    headersTimeout: shortest,
    requestTimeout: bodyTimeout,
    connectionsCheckingInterval: Math.min(shortest / 2, 1_000),
    keepAliveTimeout,
    maxHeaderSize: 16 * 1024,
  };
}

export interface Connections {
  readonly open: number;
  /** How many were closed at once since there were too many. */
  readonly dropped: number;
}

/**
 * Holds a server to the limits, and counts its connections: no connection beyond `maxConnections`, 408 to a request that arrives too slowly, and none
 * left to a client that does not read its answer.
 * @param server made with `serverOptions`, which has not had a request yet
 */
export function limitConnections(server: Server, { maxConnections, writeTimeout }: ConnectionLimits): Connections {
  const connections = { open: 0, dropped: 0 };
  server.maxConnections = maxConnections;
  server.on("connection", (socket) => {
    connections.open += 1;
    socket.once("close", () => {
      connections.open -= 1;
    });
  });
  server.on("drop", () => {
    connections.dropped += 1;
  });
  server.on("clientError", refuse);
  server.prependListener("request", (_request, response: ServerResponse) => {
    response.setTimeout(writeTimeout, () => {
      // Before its headers it is we who are slow. Bytes that are read start the time anew, as does the answer itself.
      if (response.headersSent && !response.writableFinished) response.socket?.destroy();
    });
  });
  return connections;
}

interface Refusal {
  readonly status: string;
  readonly body: string;
}

const timedOut = new EncoderError("request_timeout", "The request did not arrive in time");
const timeoutBody: ErrorResponse = { error: timedOut.message, error_type: timedOut.type, code: timedOut.code };

/** By the code of Node's error; others are not HTTP. */
const refusals = new Map<string | undefined, Refusal>([
  ["ERR_HTTP_REQUEST_TIMEOUT", { status: `${timedOut.status} Request Timeout`, body: JSON.stringify(timeoutBody) }],
  ["HPE_HEADER_OVERFLOW", { status: "431 Request Header Fields Too Large", body: "" }],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", { status: "413 Payload Too Large", body: "" }],
]);
const badRequest: Refusal = { status: "400 Bad Request", body: "" };

/** Answers on a connection whose request cannot be read (to its end), and closes it. */
function refuse({ code }: NodeJS.ErrnoException, socket: Socket & AnsweringSocket): void {
  // A part of another answer may have been sent: what follows would be taken for the rest of it.
  if (!socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, body } = refusals.get(code) ?? badRequest;
  const headers = [`HTTP/1.1 ${status}`, "connection: close", `content-length: ${Buffer.byteLength(body)}`];
  if (body) headers.push("content-type: application/json");
  socket.write(`${headers.join("\r\n")}\r\n\r\n${body}`);
  socket.destroySoon();
}

/** Node's own mark of the answer that a connection is busy with; its documentation of `clientError` names it. */
interface AnsweringSocket {
  readonly _httpMessage?: ServerResponse | null;
}
