/**
 * Preloaded with `--require` into a process and so into its worker processes: makes workers fail as the files in the folder that FAULTS
 * names tell them to. A file is a fault, by the part of its name before the first dot. The first worker takes it (`exit.1`, `exit.2` are
 * two), but for those of loads, which last until they are removed, and for `poison`: while it is there, each worker ends that computes a
 * text with that word, on the native device.
 */
const { execFileSync } = require("node:child_process");
const { existsSync, openSync, readdirSync, unlinkSync } = require("node:fs");
const { join } = require("node:path");

const folder = process.env.FAULTS;

/** Whether there was such a fault, and this worker has taken it. */
function take(fault) {
  const file = readdirSync(folder).find((name) => name.split(".")[0] === fault);
  if (!file) return false;
  try {
    unlinkSync(join(folder, file));
    return true;
  } catch {
    return false; // another worker was faster
  }
}

/** A pipe that nobody writes to. */
function pipeIn(folder) {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

/** A module whose one function traps. */
const trapping = new WebAssembly.Module(
  Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x07, 0x08, 0x01, 0x04,
    0x74, 0x72, 0x61, 0x70, 0x00, 0x00, 0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b,
  ]),
);

if (folder && process.argv[1]?.endsWith("encoder-worker.js")) {
  const { selfTest } = require("../../models/bge-small-en-v1.5/manifest.json");
  const { poison } = require("../../models/bge-small-en-v1.5/tokenizer.json").model.vocab;
  const isPoisoned = (feeds) => Array.from(feeds?.input_ids?.data ?? [], Number).includes(poison);
  let runs = 0;
  require("./around-sessions.cjs")({
    async create(open) {
      if (existsSync(join(folder, "load-fails"))) throw new Error("the fault that the test asked for");
      while (existsSync(join(folder, "load-waits"))) await new Promise((resolve) => setTimeout(resolve, 10));
      return open();
    },
    // A session that fails its self-test is replaced: see `exactProducts` in api/node/native-session.ts.
    created() {
      runs = 0;
    },
    run(compute, device, feeds) {
      if (existsSync(join(folder, "poison")) && isPoisoned(feeds)) process.exit(1);
      runs += 1;
      if (runs <= selfTest.texts.filter((text) => text[device]).length) return compute();
      if (take("exit")) process.exit(1);
      if (take("trap")) new WebAssembly.Instance(trapping).exports.trap();
      // A system call that nothing ends, as a driver's that waits for its device: the thread cannot be ended.
      if (device === "native" && take("block")) openSync(pipeIn(folder), "r");
      if (device === "native" && take("hang")) return new Promise(() => {});
      // As a crash in native code.
      if (take("crash")) process.kill(process.pid, "SIGSEGV");
      if (take("memory")) for (const hoard = []; ; ) hoard.push(Array.from({ length: 1e5 }, Math.random));
      return compute();
    },
  });
  // Between two native calls, as a tokenizer that never comes back.
  setInterval(() => {
    while (take("spin")) for (;;);
  }, 10).unref();
}
