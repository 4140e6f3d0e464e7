/** What the reader of a kind gives. */
export interface Reading {
  /** Blank where the file has none: then the text's first line is it. */
  readonly title: string;
  readonly text: string;
}

/** Reads the bytes of one kind of file. */
export type Reader = (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined) => Reading | Promise<Reading>;
