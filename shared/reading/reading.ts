/** The result of a reader. */
export interface Reading {
  /** Blank if the file has no title: the first line of the text is used instead. */
  readonly title: string;
  readonly text: string;
}

/** Reads the bytes of one file type. */
export type Reader = (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal | undefined) => Reading | Promise<Reading>;
