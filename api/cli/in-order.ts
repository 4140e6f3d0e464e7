/**
 * Maps items concurrently and yields the results in the items' order. At most `limit` items are pending; the next is read when the first
 * completes. Rejects with the first error in that order.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  compute: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const pending: Promise<Result>[] = [];
  for await (const item of items) {
    const result = compute(item);
    result.catch(() => {}); // Awaited later, in order: an earlier rejection is not unhandled.
    pending.push(result);
    const first = pending.length >= limit ? pending.shift() : undefined;
    if (first) yield await first;
  }
  for (const result of pending) yield await result;
}
