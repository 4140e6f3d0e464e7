import type { Answer } from "../../shared/search/answer.ts";
import type { ExampleQuery } from "../../shared/search/library.ts";
import type { ModelState } from "../search-worker.ts";
import type { Store } from "./store.ts";

/** A text that the visitor added. */
export interface AddedDocument {
  readonly id: string;
  readonly title: string;
  /** Passages that can be found already, and how many there are: null until the first ones can. */
  readonly progress: { readonly done: number; readonly total: number } | null;
  /** Why it could not be added. */
  readonly problem: string | null;
}

/** All that the page shows, but for what is in its input fields. */
export interface PageState {
  readonly model: ModelState;
  readonly examples: readonly ExampleQuery[];
  /** What is asked, without white space around it. */
  readonly query: string;
  /** The newest answer, which may still be that of an earlier query. */
  readonly answer: Answer | null;
  /** Why the query could not be answered. */
  readonly searchProblem: string | null;
  readonly documents: readonly AddedDocument[];
}

export type PageStore = Store<PageState>;

export const initialState: PageState = {
  model: { phase: "loading", loaded: 0, total: 0, stored: 0 },
  examples: [],
  query: "",
  answer: null,
  searchProblem: null,
  documents: [],
};
