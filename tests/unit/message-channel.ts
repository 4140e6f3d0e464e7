import { afterEach } from "vitest";
import { type Endpoint, wrap } from "../../shared/comlink.ts";

const ports: { close(): void }[] = [];

/** What `expose` has exposed at the other end of a message channel, which is closed after the test. */
export function connect<Remote>(expose: (endpoint: Endpoint) => void): Remote {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  // Node's MessagePort is a browser's, but for some of its types; and Comlink's own mapped type cannot see through a type parameter.
  expose(port2 as unknown as Endpoint);
  return wrap(port1 as unknown as Endpoint) as unknown as Remote;
}

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});
