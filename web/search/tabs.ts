/**
 * One search for all tabs of the site. The tab that holds the lock leads: it has the encoder and the index, and the others call it over
 * a channel. When it is closed or dies, the next tab leads, and open calls are repeated.
 */

import { abortable, deferred } from "../../shared/async.ts";
import { expose, wrap } from "../../shared/comlink.ts";
import type { SearchService, SearchState } from "./service.ts";

/** Increased when the messages or the service change incompatibly. */
const protocol = 2;

/** ms for the leader's answer to a new tab. */
const answerTimeout = 15_000;

/** Messages between tabs. */
type Message =
  /** A tab looks for the leader. Its own channel is named after it. */
  | { readonly type: "find-leader"; readonly tab: string }
  /** The leader listens on the tab's channel. */
  | { readonly type: "leader-found"; readonly tab: string }
  /** There is a new leader. */
  | { readonly type: "new-leader" }
  | { readonly type: "state"; readonly state: SearchState };

interface Leader {
  readonly state: SearchState;
  /** The service for one tab. */
  service(): SearchService;
}

export interface TabsOptions {
  /** Of the lock and the channels. */
  readonly name: string;
  /** Opens the search in this tab. Called at most once, when this tab becomes the leader. */
  readonly lead: (onState: (state: SearchState) => void) => Promise<Leader>;
  readonly onState: (state: SearchState) => void;
  /** Called when the leader does not answer. A new leader is still accepted. */
  readonly onUnresponsive: () => void;
}

const methods = [
  "state",
  "examples",
  "load",
  "search",
  "relevanceIn",
  "closestSentence",
  "documents",
  "document",
  "addText",
  "addFiles",
  "remove",
  "connectFolder",
  "folder",
  "refreshFolder",
  "disconnectFolder",
  "pause",
  "resume",
  "stopReading",
  "createCollection",
  "renameCollection",
  "deleteCollection",
  "exportCollection",
  "importCollection",
  "embed",
] as const satisfies readonly (keyof SearchService)[];

/** The connection to a leader, until another tab leads. */
interface Connection {
  readonly service: SearchService;
  readonly over: AbortSignal;
}

/** Joins the search of all tabs. Rejects when this tab leads and cannot open the search. */
export async function joinTabs(options: TabsOptions): Promise<SearchService> {
  const tabs = new Tabs(options);
  await tabs.joined;
  return tabs.service;
}

class Tabs {
  readonly #options: TabsOptions;
  readonly #tab = crypto.randomUUID();
  readonly #channel: BroadcastChannel;
  /** Settled by the first connection, or when this tab fails to lead. */
  readonly #joined = deferred<Connection>();
  #connection: Promise<Connection> = this.#joined.promise;
  #endConnection = () => {};
  /** Tabs whose channels this leader listens on. */
  readonly #followers = new Set<string>();
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  #leader: Leader | null = null;
  #present = false;

  constructor(options: TabsOptions) {
    this.#options = options;
    this.#channel = new BroadcastChannel(`${options.name} ${protocol}`);
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Message>) => this.#receive(data));
    void navigator.locks.request(options.name, () => this.#lead());
    // Held while this tab lives: the leader waits for this lock to notice when the tab is gone.
    void navigator.locks.request(this.#lockOf(this.#tab), () => {
      this.#present = true;
      this.#findLeader();
      return new Promise(() => {});
    });
  }

  get joined(): Promise<unknown> {
    return this.#joined.promise;
  }

  /** Each method waits for a leader, and repeats its call when the leader is gone before it has answered. */
  get service(): SearchService {
    const call = async (method: keyof SearchService, parameters: unknown[]) => {
      for (;;) {
        const { service, over } = await this.#connection;
        const remoteMethod = service[method] as (...parameters: unknown[]) => Promise<unknown>;
        try {
          return await abortable(remoteMethod(...parameters), over);
        } catch (error) {
          if (error !== over.reason) throw error;
        }
      }
    };
    return Object.fromEntries(
      methods.map((method) => [method, (...parameters: unknown[]) => call(method, parameters)]),
    ) as unknown as SearchService;
  }

  /** Becomes the leader. Holds the lock until this tab is gone, or fails to lead. */
  async #lead(): Promise<void> {
    clearTimeout(this.#answerTimer);
    try {
      const leader = await this.#options.lead((state) => {
        this.#options.onState(state);
        this.#send({ type: "state", state });
      });
      this.#leader = leader;
      this.#connect(leader.service(), leader.state);
      this.#send({ type: "new-leader" });
    } catch (error) {
      this.#joined.reject(error);
      return;
    }
    await new Promise(() => {});
  }

  #receive(message: Message): void {
    if (message.type === "find-leader") void this.#serve(message.tab);
    if (this.#leader) return;
    if (message.type === "state") this.#options.onState(message.state);
    if (message.type === "new-leader") this.#findLeader();
    if (message.type === "leader-found" && message.tab === this.#tab) void this.#connectTo(this.#tab);
  }

  #findLeader(): void {
    if (!this.#present || this.#leader) return;
    this.#send({ type: "find-leader", tab: this.#tab });
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#options.onUnresponsive(), answerTimeout);
  }

  /** Serves another tab while it lives. */
  async #serve(tab: string): Promise<void> {
    if (!this.#leader || this.#followers.has(tab)) return;
    this.#followers.add(tab);
    const channel = new BroadcastChannel(`${this.#options.name} ${tab}`);
    let closed = false;
    expose(this.#leader.service(), {
      // A closed channel throws, but a tab that is gone needs no answers.
      postMessage: (message) => {
        if (!closed) channel.postMessage(message);
      },
      addEventListener: (...listener) => channel.addEventListener(...listener),
      removeEventListener: (...listener) => channel.removeEventListener(...listener),
    });
    this.#send({ type: "leader-found", tab });
    await navigator.locks.request(this.#lockOf(tab), () => {
      closed = true;
      channel.close();
    });
    this.#followers.delete(tab);
  }

  async #connectTo(tab: string): Promise<void> {
    const service = wrap<SearchService>(new BroadcastChannel(`${this.#options.name} ${tab}`)) as unknown as SearchService;
    this.#connect(service, await service.state());
  }

  #connect(service: SearchService, state: SearchState): void {
    clearTimeout(this.#answerTimer);
    const endEarlier = this.#endConnection;
    const over = new AbortController();
    this.#endConnection = () => over.abort();
    const connection = { service, over: over.signal };
    this.#joined.resolve(connection);
    this.#connection = Promise.resolve(connection);
    // Open calls to the previous leader are repeated.
    endEarlier();
    this.#options.onState(state);
  }

  #send(message: Message): void {
    this.#channel.postMessage(message);
  }

  #lockOf(tab: string): string {
    return `${this.#options.name} ${tab}`;
  }
}
