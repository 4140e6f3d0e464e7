/**
 * Preloaded with `--require` into a service: records into the file that EVENT_LOOP_RECORD names how long requests had to wait for
 * the main thread's event loop because of what that computed: a line for each, with its time (ms since 1970) and its delay in ms. Only the thread's time on a core counts, as Linux
 * has it: what it waits for a core is the machine's.
 */
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const { isMainThread } = require("node:worker_threads");

const file = process.env.EVENT_LOOP_RECORD;
/** How often the loop is looked at, and how often a request is thought to arrive, in ms. */
const interval = 5;
const writeInterval = 500;

/** How long this thread has been on a core, in ms. */
const computed = () => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;

// The workers of the service are processes, which are started with the same preloads.
const isService = isMainThread && !process.argv[1]?.endsWith("encoder-worker.js");

if (file && isService) {
  writeFileSync(file, "");
  let lines = [];
  let before = computed();
  let looked = performance.now();
  setInterval(() => {
    const now = performance.now();
    const after = computed();
    const stretch = after - before;
    const end = Date.now();
    const passed = Math.max(now - looked, interval);
    // Of those that arrive meanwhile, the first waits for all of it, the last for nothing.
    for (let arrived = 0; arrived < passed; arrived += interval) {
      lines.push(`${Math.round(end - passed + arrived)} ${Math.max(stretch - arrived, 0).toFixed(2)}\n`);
    }
    before = after;
    looked = now;
  }, interval).unref();
  const write = () => {
    appendFileSync(file, lines.join(""));
    lines = [];
  };
  setInterval(write, writeInterval).unref();
  process.once("exit", write);
}
