import type { Context } from "hono";
import { Mutex, nextTurn } from "../shared/async.ts";

/** A JSON answer whose main part is a list. */
export interface ListAnswer {
  /** JSON before and after the items. Default: the brackets of a list. */
  readonly before?: string;
  readonly after?: string;
  readonly count: number;
  /** JSON of an item. */
  readonly item: (index: number) => string;
}

/** Items that are serialized in one task: vectors of 384 numbers take about 50 µs each. */
const itemsPerChunk = 32;

/** Chunks of all answers are serialized one after another, each in a task of its own, so that other requests are served between them. */
const chunks = new Mutex();

/**
 * Sends a list as JSON. A long one is serialized in chunks, and only as fast as the client reads.
 * @param onSent called once, when the answer has been handed over or has failed, or the client has disconnected
 */
export function sendList(c: Context, { before = "[", after = "]", count, item }: ListAnswer, onSent: () => void): Response {
  const join = (start: number) => {
    const end = Math.min(start + itemsPerChunk, count);
    let json = start === 0 ? before : "";
    for (let index = start; index < end; index++) json += (index > 0 ? "," : "") + item(index);
    return end === count ? json + after : json;
  };
  c.header("content-type", "application/json");
  if (count <= itemsPerChunk) {
    const json = join(0);
    onSent();
    return c.body(json);
  }
  const encoder = new TextEncoder();
  let start = 0;
  let isSent = false;
  const end = () => {
    if (!isSent) onSent();
    isSent = true;
  };
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: (controller) =>
        chunks.run(async () => {
          await nextTurn();
          try {
            controller.enqueue(encoder.encode(join(start)));
          } catch (error) {
            end();
            throw error;
          }
          start += itemsPerChunk;
          if (start < count) return;
          controller.close();
          end();
        }),
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return c.body(stream);
}

/** A vector as a JSON list of numbers. */
export function vectorJson(vector: Float32Array = new Float32Array()): string {
  return JSON.stringify(Array.from(vector));
}
