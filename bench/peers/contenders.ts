/** Settings of `contender.py`. */
export interface PythonMethod {
  readonly library: "sentence-transformers" | "fastembed" | "infinity";
  /** Texts in one batch. */
  readonly batch: number;
  readonly threads: number;
}

const peer = (library: PythonMethod["library"], precision: "int8" | "float32", batch: number, setting: string) => ({
  id: `${library}-${precision}-${batch}`,
  label: `${library}, ${setting}`,
  precision,
  // As many threads as the pool has workers.
  method: { library, batch, threads: 2 } satisfies PythonMethod,
});

/** Each library with its default, and with small batches, which suit texts of different lengths: padding costs more than calls. */
export const pythonContenders = [
  peer("fastembed", "int8", 256, "batches of 256 (default)"),
  peer("fastembed", "int8", 1, "one text per run"),
  peer("sentence-transformers", "float32", 32, "torch, batches of 32 (default)"),
  peer("sentence-transformers", "float32", 4, "torch, batches of 4"),
  peer("infinity", "float32", 32, "torch, batches of 32 (default)"),
];
