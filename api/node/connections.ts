import type { Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ErrorResponse } from "../../shared/contract.ts";
import { EncoderError } from "../../shared/errors.ts";

/** Connection limits. Times in ms. */
export interface ConnectionLimits {
  /** Maximum concurrent connections. */
  readonly maxConnections: number;
  /** Time for the request headers to arrive, also on a new connection that has sent nothing. */
  readonly headersTimeout: number;
  /** Time for the complete request to arrive. */
  readonly bodyTimeout: number;
  /** Time without the client reading any byte of the response. */
  readonly writeTimeout: number;
}

/**
 * ms that a connection may be idle between requests. It exceeds the usual idle timeout of load balancers (60 s), so that the load balancer
 * closes first and never sends a request on a closing connection.
 */
const keepAliveTimeout = 65_000;

/** Options of `createServer` for the limits. */
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
  /** Connections dropped at the connection limit. */
  readonly dropped: number;
}

/**
 * Applies the limits to a server and counts its connections. Connections beyond `maxConnections` are dropped. Requests that arrive too
 * slowly get 408. Connections of clients that do not read the response are closed.
 * @param server created with `serverOptions`, before its first request
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
  server.on("clientError", reject);
  server.prependListener("request", (_request, response: ServerResponse) => {
    response.setTimeout(writeTimeout, () => {
      // Before the headers the server is the slow side. Every byte read by the client restarts the timeout.
      if (response.headersSent && !response.writableFinished) response.socket?.destroy();
    });
  });
  return connections;
}

interface Rejection {
  readonly status: string;
  readonly body: string;
}

const timedOut = new EncoderError("request_timeout", "The request took too long to arrive");
const timeoutBody: ErrorResponse = { error: timedOut.message, error_type: timedOut.type, code: timedOut.code };

/** Responses by Node.js error code. Other errors get 400. */
const rejections = new Map<string | undefined, Rejection>([
  ["ERR_HTTP_REQUEST_TIMEOUT", { status: `${timedOut.status} Request Timeout`, body: JSON.stringify(timeoutBody) }],
  ["HPE_HEADER_OVERFLOW", { status: "431 Request Header Fields Too Large", body: "" }],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", { status: "413 Payload Too Large", body: "" }],
]);
const badRequest: Rejection = { status: "400 Bad Request", body: "" };

/** Responds to an unreadable or incomplete request and closes the connection. */
function reject({ code }: NodeJS.ErrnoException, socket: Socket & RespondingSocket): void {
  // Another response may be partly sent. The client would read this one as its continuation.
  if (!socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, body } = rejections.get(code) ?? badRequest;
  const headers = [`HTTP/1.1 ${status}`, "connection: close", `content-length: ${Buffer.byteLength(body)}`];
  if (body) headers.push("content-type: application/json");
  socket.write(`${headers.join("\r\n")}\r\n\r\n${body}`);
  socket.destroySoon();
}

/** Node.js's current response on the socket, as in the documentation of `clientError`. */
interface RespondingSocket {
  readonly _httpMessage?: ServerResponse | null;
}
