import { SingleBar } from "cli-progress";
import { printable } from "../node/terminal.ts";

/** How far a stream of texts is, for the person who waits for it. */
export interface Progress {
  /**
   * @param bytes of the whole input; null where nobody knows
   * @param done bytes that need not be done again
   */
  start(bytes: number | null, done: number): void;
  /** @param end bytes of the input up to the end of the text's line */
  onText(end: number): void;
  /** Prints a line of its own. */
  note(message: string): void;
  stop(): void;
}

/** A bar with rate and, where the input's size is known, time left. */
export function terminalProgress(stream: NodeJS.WriteStream): Progress {
  let bar: SingleBar | null = null;
  let started = 0;
  let texts = 0;
  return {
    start(bytes, done) {
      const measures = "{texts} texts | {rate} texts/s";
      const format = bytes === null ? measures : `[{bar}] {percentage}% | ${measures} | {eta_formatted} left`;
      bar = new SingleBar({ stream, format, barsize: 30, etaBuffer: 500, hideCursor: true });
      started = performance.now();
      bar.start(bytes ?? 0, done, { texts, rate: "-" });
    },
    onText(end) {
      texts += 1;
      bar?.update(end, { texts, rate: ((texts * 1000) / (performance.now() - started)).toFixed(1) });
    },
    note(message) {
      // Over the bar, which is drawn again below.
      stream.write(`\r\u001b[K${printable(message)}\n`);
    },
    stop: () => bar?.stop(),
  };
}

/** The notes alone, for what is not a terminal. */
export function plainProgress(stream: NodeJS.WritableStream): Progress {
  return { start() {}, onText() {}, note: (message) => void stream.write(`${printable(message)}\n`), stop() {} };
}
