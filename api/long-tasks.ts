import { Mutex, nextTurn } from "../shared/async.ts";

const running = new Mutex();

/**
 * Runs work that takes milliseconds of the thread that answers: parsing a large body, serializing a part of a long answer. It runs after
 * all earlier such work, in a task of its own, so that the event loop serves other requests in between.
 */
export function runLongTask<T>(work: () => T): Promise<T> {
  return running.run(async () => {
    await nextTurn();
    return work();
  });
}
