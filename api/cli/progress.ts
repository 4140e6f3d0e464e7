import { SingleBar } from "cli-progress";
import { printable } from "../node/terminal.ts";

/** Displays progress and messages on a terminal. */
export interface Progress {
  /**
   * @param bytes size of the input; null if unknown
   * @param done bytes that are already processed
   */
  start(bytes: number | null, done: number): void;
  /** @param end offset of the end of the text's line, in bytes */
  onText(end: number): void;
  /** Prints a message on its own line. */
  note(message: string): void;
  stop(): void;
}

/** A progress bar with rate and, if the input's size is known, remaining time. */
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
      // Overwrites the bar, which is redrawn on the next line.
      stream.write(`\r\u001b[K${printable(message)}\n`);
    },
    stop: () => bar?.stop(),
  };
}

/** Prints messages only, for streams that are not terminals. */
export function plainProgress(stream: NodeJS.WritableStream): Progress {
  return { start() {}, onText() {}, note: (message) => void stream.write(`${printable(message)}\n`), stop() {} };
}
