/** What one attacking process does. Times in s. */
export type Attack =
  /** Clients that each send the bodies in turn, one request after the other. */
  | {
      readonly kind: "repeat";
      readonly clients: number;
      readonly path: string;
      readonly bodies: readonly string[];
      readonly seconds: number;
    }
  /** Requests that are all sent at once. */
  | { readonly kind: "parallel"; readonly requests: number; readonly path: string; readonly body: string }
  /** Clients that send a request and read no answer until the time is over. */
  | { readonly kind: "never-read"; readonly clients: number; readonly path: string; readonly body: string; readonly seconds: number }
  /** Sockets that send a header, or a body, at one byte a second, until they are closed or the time is over. */
  | { readonly kind: "slow-header" | "slow-body"; readonly sockets: number; readonly seconds: number };

export interface AttackOrder {
  readonly url: string;
  readonly attack: Attack;
}

/**
 * How many requests ended in which way: `200`, `429 overloaded` (the status and the `code` of the error), `408 without code`,
 * `reset` (closed without an answer), `cut off` (closed within an answer), `unanswered`.
 */
export type Outcomes = Record<string, number>;

/** Adds `more` to `outcomes`. */
export function addOutcomes(outcomes: Outcomes, more: Outcomes): void {
  for (const [outcome, times] of Object.entries(more)) outcomes[outcome] = (outcomes[outcome] ?? 0) + times;
}

/** The status of an answer, and of a failure the error's code, in either of the API's forms. */
export function outcomeOf(status: number, body: string): string {
  if (status < 400) return String(status);
  return `${status} ${codeOf(body) ?? "without code"}`;
}

function codeOf(body: string): string | null {
  try {
    const answer = JSON.parse(body) as { code?: unknown; error?: { code?: unknown } };
    const code = answer.code ?? answer.error?.code;
    return typeof code === "string" ? code : null;
  } catch {
    return null;
  }
}
