import type { Endpoint } from "comlink";

/** A web MessagePort as Comlink's endpoint: Node's class lacks only some types of the browser's. */
export function nodeEndpointOf(port: MessagePort): Endpoint {
  return port as unknown as Endpoint;
}
