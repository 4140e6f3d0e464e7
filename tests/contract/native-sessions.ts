import { existsSync, readFileSync } from "node:fs";

const cpuInfo = "/proc/cpuinfo";

/**
 * Native sessions that a worker creates for one load: a second one with exact products, where an x86 processor without VNNI makes the first
 * fail its self-test.
 */
export const nativeSessionsPerLoad =
  process.arch === "x64" && existsSync(cpuInfo) && !readFileSync(cpuInfo, "utf8").includes("vnni") ? 2 : 1;
