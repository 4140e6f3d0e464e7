/**
 * Preloaded with `--require` into a process and so into its worker threads: makes threads fail as the files in the
 * folder that FAULTS names tell them to. A file is a fault, by the part of its name before the first dot; whichever
 * thread comes first takes it (`exit.1`, `exit.2` are two), but for those of loads, which last until they are removed.
 */
const { existsSync, readdirSync, unlinkSync } = require("node:fs");
const { join } = require("node:path");
const { isMainThread } = require("node:worker_threads");

const folder = process.env.FAULTS;

/** Whether there was such a fault, and this thread has taken it. */
function take(fault) {
  const file = readdirSync(folder).find((name) => name.split(".")[0] === fault);
  if (!file) return false;
  try {
    unlinkSync(join(folder, file));
    return true;
  } catch {
    return false; // another thread was faster
  }
}

if (folder && !isMainThread) {
  const { InferenceSession } = require("onnxruntime-node");
  const { selfTest } = require("../../models/bge-small-en-v1.5/manifest.json");
  const { create } = InferenceSession;
  InferenceSession.create = async (...args) => {
    if (existsSync(join(folder, "load-fails"))) throw new Error("the fault that the test asked for");
    while (existsSync(join(folder, "load-waits"))) await new Promise((resolve) => setTimeout(resolve, 10));
    const session = await create.apply(InferenceSession, args);
    const { run } = session;
    let selfTests = selfTest.texts.filter(({ cpu }) => cpu).length;
    session.run = async (...runArgs) => {
      if (selfTests-- > 0) return run.apply(session, runArgs);
      if (take("exit")) process.exit(1);
      if (take("hang")) await new Promise(() => {});
      if (take("memory")) for (const hoard = []; ; ) hoard.push(Array.from({ length: 1e5 }, Math.random));
      return run.apply(session, runArgs);
    };
    return session;
  };
  // Between two native calls, as a tokenizer that never comes back.
  setInterval(() => {
    while (take("spin")) for (;;);
  }, 10).unref();
}
