/** The names of this machine that no page of another site can have as its own. */
const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** Whether only this machine reaches what listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || host.startsWith("127.");
}

/** The names that a service that listens on `host` answers under, as the Host header has them. */
export function namesOf(host: string, allowedHosts: readonly string[]): readonly string[] {
  const listening = host.includes(":") ? `[${host}]` : host;
  return [...loopbackNames, ...(isLoopback(host) ? [listening.toLowerCase()] : []), ...allowedHosts];
}
