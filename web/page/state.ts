import type { Remote } from "../../shared/comlink.ts";
import type { SearchMode } from "../../shared/index/fusion.ts";
import type { Hit } from "../../shared/index/hit.ts";
import type { Place } from "../../shared/index/spans.ts";
import type { Answer, SearchFilter } from "../../shared/search/answer.ts";
import type { ExampleQuery } from "../../shared/search/library.ts";
import type { CollectionState, DocumentState, SearchService, SearchState } from "../search/service.ts";
import type { Store } from "./store.ts";

/** The search service, once its worker has started. */
export type Search = Promise<Remote<SearchService>>;

/** Filters of the search; null for all documents. */
export interface Scope {
  readonly kind: string | null;
  /** A prefix of document ids that ends in "/". */
  readonly folder: string | null;
  readonly document: Pick<DocumentState, "id" | "title"> | null;
}

/** The state of the page, without its input fields. */
export interface PageState extends SearchState {
  /** Id of the shown collection. Default: the first one. */
  readonly chosen: string | null;
  readonly examples: readonly ExampleQuery[];
  /** The trimmed query. */
  readonly query: string;
  readonly mode: SearchMode;
  readonly scope: Scope;
  /** Whether built-in documents are searched with the visitor's. Without the latter they always are. */
  readonly builtIn: boolean;
  /** Maximum number of results. */
  readonly limit: number;
  /** The latest answer, which may be of an earlier query. */
  readonly answer: Answer | null;
  /** The sentence closest to the answer's query, by {@link keyOf} its result. */
  readonly closest: ReadonlyMap<string, Place>;
  /** Why the search failed. */
  readonly searchProblem: string | null;
  /** Of the shown collection. */
  readonly documents: readonly DocumentState[];
  /** Why the latest action failed. */
  readonly problem: string | null;
}

export type PageStore = Store<PageState>;

export const everything: Scope = { kind: null, folder: null, document: null };

/** The initial number of results. */
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

/** The shown collection; null until the search has started. */
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
export const keyOf = ({ id, passage }: Pick<Hit, "id" | "passage">): string => `${passage.start} ${id}`;
