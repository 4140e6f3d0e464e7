import { defineConfig } from "vitest/config";

/** Tests that take minutes and need other hosts than Node. */
export default defineConfig({
  test: {
    pool: "forks",
    include: ["**/*.test.ts"],
    env: { ORT_DISABLE_TELEMETRY: "1" },
    fileParallelism: false,
    // Latencies on a busy machine. What passes at the second try only is marked with its retry.
    retry: 1,
  },
});
