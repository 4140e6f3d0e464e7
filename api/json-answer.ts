import type { Context } from "hono";
import { runLongTask } from "./long-tasks.ts";

/** A JSON response that consists mainly of one list. */
export interface ListAnswer {
  /** JSON before and after the items. Default: `[` and `]`. */
  readonly before?: string;
  readonly after?: string;
  readonly count: number;
  /** Serializes one item as JSON. */
  readonly item: (index: number) => string;
}

/** Items serialized per task. A vector of 384 numbers takes about 50 µs. */
const itemsPerChunk = 32;

/**
 * Sends a list as JSON. Long lists are serialized in chunks, no faster than the client reads.
 * @param onSent called once: after the last chunk, after a failure, or when the client disconnects
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
        runLongTask(() => {
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

/** Serializes a vector as a JSON list of numbers. */
export function vectorJson(vector: Float32Array = new Float32Array()): string {
  return JSON.stringify(Array.from(vector));
}
