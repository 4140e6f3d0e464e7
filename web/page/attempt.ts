import { EncoderError } from "../../shared/errors.ts";
import type { PageStore } from "./state.ts";

/** Runs an action of the visitor. Its error is shown until the next action succeeds. */
export async function attempt(store: PageStore, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
    store.update({ problem: null });
  } catch (error) {
    store.update({ problem: EncoderError.from(error).message });
  }
}
