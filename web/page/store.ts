/** Holds the state of the page. Its parts update it with patches, and paint themselves from it. */
export interface Store<State> {
  get(): State;
  update(patch: Partial<State>): void;
  /** Calls `paint` now, and after each update that changes one of the keys (by `Object.is`). */
  watch<Key extends keyof State>(keys: readonly Key[], paint: (state: Pick<State, Key>) => void): void;
}

export function createStore<State extends object>(initial: State): Store<State> {
  let state = initial;
  const watchers = new Set<(before: State) => void>();
  return {
    get: () => state,
    update(patch) {
      const before = state;
      state = { ...before, ...patch };
      for (const watcher of watchers) watcher(before);
    },
    watch(keys, paint) {
      watchers.add((before) => {
        if (keys.some((key) => !Object.is(before[key], state[key]))) paint(state);
      });
      paint(state);
    },
  };
}
