import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const recorder = fileURLToPath(new URL("contract/record-runtime.cjs", import.meta.url));

export default defineConfig({
  test: {
    pool: "forks",
    // See api/node/encoder.ts: some tests use the runtime without it.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    projects: [
      // Property tests on a busy machine take seconds: the limit is for tests that hang.
      { extends: true, test: { name: "unit", include: ["unit/**/*.test.ts"], testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: "contract",
          include: ["contract/**/*.test.ts"],
          // Real models: one file at a time keeps two cores from being shared by six sessions.
          fileParallelism: false,
          testTimeout: 60_000,
          // Real processes on a busy machine. What passes at the second try only is marked with its retry.
          retry: 1,
          hookTimeout: 60_000,
          // Worker processes inherit it: what they do with the real runtime is recorded there.
          execArgv: ["--require", recorder],
        },
      },
    ],
  },
});
