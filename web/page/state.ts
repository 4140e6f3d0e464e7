import type { Remote } from "../../shared/comlink.ts";
import type { Answer, Place, SearchFilter, SearchResult } from "../../shared/search/answer.ts";
import type { SearchMode } from "../../shared/search/fusion.ts";
import type { ExampleQuery } from "../../shared/search/library.ts";
import type { CollectionState, DocumentState, SearchService, SearchState } from "../search/service.ts";
import type { Store } from "./store.ts";

/** The search, once its worker is open. */
export type Search = Promise<Remote<SearchService>>;

/** Which documents are searched: each null for all of them. */
export interface Scope {
  readonly kind: string | null;
  /** Ends in "/", as the ids of what is in it begin. */
  readonly folder: string | null;
  readonly document: Pick<DocumentState, "id" | "title"> | null;
}

/** All that the page shows, but for what is in its input fields. */
export interface PageState extends SearchState {
  /** Id of the collection that is shown; the first one where there is none of this id. */
  readonly chosen: string | null;
  readonly examples: readonly ExampleQuery[];
  /** What is asked, without white space around it. */
  readonly query: string;
  readonly mode: SearchMode;
  readonly scope: Scope;
  /** Whether the built-in documents are searched with the visitor's own. Where there are none of these, they always are. */
  readonly builtIn: boolean;
  /** The most results. */
  readonly limit: number;
  /** The newest answer, which may still be that of an earlier query. */
  readonly answer: Answer | null;
  /** By {@link keyOf} its passage: of those that were asked for, the sentence closest to the answer's query. */
  readonly closest: ReadonlyMap<string, Place>;
  /** Why the query could not be answered. */
  readonly searchProblem: string | null;
  /** Of the collection that is shown. */
  readonly documents: readonly DocumentState[];
  /** Why the latest thing that the visitor wanted done was not. */
  readonly problem: string | null;
}

export type PageStore = Store<PageState>;

export const everything: Scope = { kind: null, folder: null, document: null };

/** How many results are shown before more are asked for. */
export const fewResults = 8;

export const initialState: PageState = {
  model: { phase: "loading", loaded: 0, total: 0, stored: 0 },
  collections: [],
  storage: { kept: "browser", problem: null },
  chosen: null,
  examples: [],
  query: "",
  mode: "hybrid",
  scope: everything,
  builtIn: false,
  limit: fewResults,
  answer: null,
  closest: new Map(),
  searchProblem: null,
  documents: [],
  problem: null,
};

/** The collection that is shown; null until the search is open. */
export function shownCollection({ collections, chosen }: Pick<PageState, "collections" | "chosen">): CollectionState | null {
  return collections.find(({ id }) => id === chosen) ?? collections[0] ?? null;
}

export function searchesBuiltIn(state: Pick<PageState, "collections" | "chosen" | "builtIn">): boolean {
  return state.builtIn || shownCollection(state)?.documents === 0;
}

export function filterOf(state: Pick<PageState, "collections" | "chosen" | "builtIn" | "scope">): SearchFilter {
  const { kind, folder, document } = state.scope;
  const place = document?.id ?? folder;
  return {
    ...(place !== null && { documents: [place] }),
    ...(kind !== null && { kinds: [kind] }),
    ...(!searchesBuiltIn(state) && { builtIn: false }),
  };
}

/** What a passage is known by, as long as its document does not change. */
export const keyOf = ({ document, passage }: Pick<SearchResult, "document" | "passage">): string => `${passage.start} ${document.id}`;
