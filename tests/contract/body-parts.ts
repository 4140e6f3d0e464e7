/** `body` with one of its parts, or all of it, being `other`; undefined leaves the part out. */
export function withPartReplaced(body: unknown, place: number, other: unknown): unknown {
  const copy = structuredClone(body);
  const places: { in: Record<string, unknown>; key: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      places.push({ in: value as Record<string, unknown>, key });
      visit(part);
    }
  };
  visit(copy);
  const chosen = places[place % (places.length + 1)];
  if (!chosen) return other;
  chosen.in[chosen.key] = other;
  return copy;
}

/** Shorter ones may be in an error by chance. */
const tellingLength = 8;

/** The texts in `body` that are long enough to be recognized. */
export function stringsOf(body: unknown): string[] {
  if (typeof body === "string") return body.trim().length >= tellingLength ? [body] : [];
  if (body instanceof Uint8Array || typeof body !== "object" || body === null) return [];
  return Object.values(body).flatMap(stringsOf);
}
