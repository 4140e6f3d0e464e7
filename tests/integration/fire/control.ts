/** A server that only answers: what it takes for an answer is the machine's own delay. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

process.once("disconnect", () => process.exit());
const server = createServer((_request, response) => response.end("{}"));
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
