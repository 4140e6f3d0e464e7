/**
 * Computes on items while more are read, and gives the results in the items' order. At most `limit` items are held; the
 * next is read once the first of them is done.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  compute: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const pending: Promise<Result>[] = [];
  for await (const item of items) {
    const result = compute(item);
    result.catch(() => {}); // It is awaited in its turn; till then a rejection has its reason to wait.
    pending.push(result);
    const first = pending.length >= limit ? pending.shift() : undefined;
    if (first) yield await first;
  }
  for (const result of pending) yield await result;
}
