/** Loopback host names. DNS rebinding cannot use them. */
const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** Whether `host` is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || host.startsWith("127.");
}

/** Host names that a service listening on `host` accepts, in the form of the Host header. */
export function namesOf(host: string, allowedHosts: readonly string[]): readonly string[] {
  const listening = host.includes(":") ? `[${host}]` : host;
  return [...loopbackNames, ...(isLoopback(host) ? [listening.toLowerCase()] : []), ...allowedHosts];
}
