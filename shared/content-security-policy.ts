/**
 * The policy of a script's response. A page's own, in its `<meta>`, does not reach workers that are fetched: each has the policy that
 * comes with its script, and documents are read and searched there. They may speak to their own origin alone, and make no code of text.
 */
export const scriptPolicy =
  "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; frame-ancestors 'self'";
