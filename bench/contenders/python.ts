import { type EnvironmentName, type PythonPeers, pythonProgram } from "../peers/install.ts";
import type { Entrant, Precision } from "./contender.ts";

/** As `bench/peers/embedders.py` has them. */
interface EmbedderSettings {
  readonly library: "sentence-transformers" | "fastembed" | "infinity";
  readonly precision: Precision;
  /** Texts in one batch. */
  readonly batch: number;
  /** Threads of each process. */
  readonly threads: number;
  readonly processes: number;
}

/** One that runs in Python. */
export interface PythonContender extends Entrant {
  readonly settings: EmbedderSettings;
}

/** What every peer gets: as many cores as two workers. */
const cores = 2;

const peer = (
  library: EmbedderSettings["library"],
  precision: Precision,
  batch: number,
  says: string,
  { threads = cores, processes = 1 } = {},
): PythonContender => ({
  id: [library, precision, batch, ...(processes > 1 ? [`${processes}p`] : [])].join("-"),
  label: `${library}, ${says}`,
  precision,
  settings: { library, precision, batch, threads, processes },
});

/** Each at its default, and in the small batches that are best for texts of different lengths: padding costs more than calls. */
export const pythonContenders: readonly PythonContender[] = [
  peer("fastembed", "int8", 256, "batches of 256 (default)"),
  peer("fastembed", "int8", 1, "one text per run"),
  peer("fastembed", "int8", 1, "`parallel=2`, one thread each, one text per run", { threads: 1, processes: 2 }),
  peer("sentence-transformers", "int8", 32, "ONNX, batches of 32 (default)"),
  peer("sentence-transformers", "int8", 4, "ONNX, batches of 4"),
  peer("sentence-transformers", "int8", 1, "ONNX, one text per run"),
  peer("fastembed", "float32", 1, "one text per run"),
  peer("sentence-transformers", "float32", 32, "torch, batches of 32 (default)"),
  peer("sentence-transformers", "float32", 4, "torch, batches of 4"),
  peer("sentence-transformers", "float32", 1, "torch, one text per run"),
  peer("infinity", "float32", 32, "torch, batches of 32 (default)"),
];

/** What runs a contender and what it is told, or why it cannot run. */
export function pythonJob({ settings }: PythonContender, python: PythonPeers | null) {
  if (!python) return { refusal: "the Python peers were not asked for (`--peers`)" };
  const environment: EnvironmentName = settings.library === "infinity" ? "infinity" : "peers";
  const program = pythonProgram(python, environment, "contender.py");
  return "refusal" in program ? program : { program, settings: { ...settings, models: python.models } };
}
