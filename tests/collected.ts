import { setTimeout as wait } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** How many of the objects are still in memory after a garbage collection. */
export async function retained(references: readonly WeakRef<object>[]): Promise<number> {
  // A WeakRef keeps its object until the end of the task that created or read it.
  await wait(10);
  collectGarbage();
  return references.filter((reference) => reference.deref() !== undefined).length;
}
