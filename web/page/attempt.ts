import { EncoderError } from "../../shared/errors.ts";
import type { PageStore } from "./state.ts";

/** Does what the visitor wants done. Why it cannot be done is put into the store, until the next thing can. */
export async function attempt(store: PageStore, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
    store.update({ problem: null });
  } catch (error) {
    store.update({ problem: EncoderError.from(error).message });
  }
}
