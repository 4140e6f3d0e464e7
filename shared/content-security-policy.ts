/**
 * The Content Security Policy of script responses. A worker is subject to the policy of its script, not to that of the page's `<meta>`.
 * Workers read and search documents, so they may connect only to their own origin, and `eval` is forbidden.
 */
export const scriptPolicy =
  "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; frame-ancestors 'self'";
