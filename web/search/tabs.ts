/**
 * One search for all tabs of the site: the tab that holds the lock has the encoder and the index, the others ask it over a
 * channel. When it is closed or dies, the next one takes over, and what was asked is asked again.
 */

import { deferred } from "../../shared/async.ts";
import { expose, wrap } from "../../shared/comlink.ts";
import type { SearchService, SearchState } from "./service.ts";

/** Raised when tabs of two versions would misunderstand each other. */
const protocol = 2;

/** How long the leading tab may take to answer a new one, in ms. */
const answerTimeout = 15_000;

/** What tabs tell each other. */
type Message =
  /** A tab looks for the leader; its own channel has its name. */
  | { readonly type: "asks"; readonly tab: string }
  /** The leader listens on that tab's channel. */
  | { readonly type: "answers"; readonly tab: string }
  /** There is a new leader. */
  | { readonly type: "leads" }
  | { readonly type: "state"; readonly state: SearchState };

interface Leader {
  readonly state: SearchState;
  /** What one tab may ask for. */
  service(): SearchService;
}

export interface TabsOptions {
  /** Of the lock and the channels. */
  readonly name: string;
  /** Opens the search in this tab. Called at most once, when it is this tab's turn. */
  readonly lead: (onState: (state: SearchState) => void) => Promise<Leader>;
  readonly onState: (state: SearchState) => void;
  /** The leading tab does not answer. It is asked again nonetheless, whenever there is a new one. */
  readonly onSilence: () => void;
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
  "cancel",
  "createCollection",
  "renameCollection",
  "deleteCollection",
  "exportCollection",
  "importCollection",
  "embed",
] as const satisfies readonly (keyof SearchService)[];

/** Whom this tab asks, until another one leads. */
interface Connection {
  readonly service: SearchService;
  readonly over: Promise<void>;
}

/** The search of all tabs, for this one. Rejects when it is this tab that leads, and the search cannot be opened. */
export async function joinTabs(options: TabsOptions): Promise<SearchService> {
  const tabs = new Tabs(options);
  await tabs.joined;
  return tabs.service;
}

class Tabs {
  readonly #options: TabsOptions;
  readonly #tab = crypto.randomUUID();
  readonly #channel: BroadcastChannel;
  /** Settled by the first connection, or when this tab should lead and cannot. */
  readonly #joined = deferred<Connection>();
  #connection: Promise<Connection> = this.#joined.promise;
  #endConnection = () => {};
  /** Tabs that this one, leading, listens to: whoever asks twice is listened to once. */
  readonly #followers = new Set<string>();
  #silence: ReturnType<typeof setTimeout> | undefined;
  #leader: Leader | null = null;
  #present = false;

  constructor(options: TabsOptions) {
    this.#options = options;
    this.#channel = new BroadcastChannel(`${options.name} ${protocol}`);
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Message>) => this.#hear(data));
    void navigator.locks.request(options.name, () => this.#lead());
    // Held as long as this tab lives: the leader, who waits for it, so knows when this tab is gone. It asks for nothing before.
    void navigator.locks.request(this.#lockOf(this.#tab), () => {
      this.#present = true;
      this.#ask();
      return new Promise(() => {});
    });
  }

  get joined(): Promise<unknown> {
    return this.#joined.promise;
  }

  /** Each method waits for a leader, and asks the next one when that is gone before it has answered. */
  get service(): SearchService {
    const ask = async (method: keyof SearchService, parameters: unknown[]) => {
      for (;;) {
        const { service, over } = await this.#connection;
        const call = service[method] as (...parameters: unknown[]) => Promise<unknown>;
        const gone = Symbol("gone");
        const answer = await Promise.race([call(...parameters), over.then(() => gone)]);
        if (answer !== gone) return answer;
      }
    };
    return Object.fromEntries(
      methods.map((method) => [method, (...parameters: unknown[]) => ask(method, parameters)]),
    ) as unknown as SearchService;
  }

  /** Takes over. Holds the lock until this tab is gone, or cannot lead. */
  async #lead(): Promise<void> {
    clearTimeout(this.#silence);
    try {
      const leader = await this.#options.lead((state) => {
        this.#options.onState(state);
        this.#say({ type: "state", state });
      });
      this.#leader = leader;
      this.#connect(leader.service(), leader.state);
      this.#say({ type: "leads" });
    } catch (error) {
      this.#joined.reject(error);
      return;
    }
    await new Promise(() => {});
  }

  #hear(message: Message): void {
    if (message.type === "asks") void this.#answer(message.tab);
    if (this.#leader) return;
    if (message.type === "state") this.#options.onState(message.state);
    if (message.type === "leads") this.#ask();
    if (message.type === "answers" && message.tab === this.#tab) void this.#connectTo(this.#tab);
  }

  #ask(): void {
    if (!this.#present || this.#leader) return;
    this.#say({ type: "asks", tab: this.#tab });
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#options.onSilence(), answerTimeout);
  }

  /** Listens to another tab, as long as it is there. */
  async #answer(tab: string): Promise<void> {
    if (!this.#leader || this.#followers.has(tab)) return;
    this.#followers.add(tab);
    const channel = new BroadcastChannel(`${this.#options.name} ${tab}`);
    expose(this.#leader.service(), channel);
    this.#say({ type: "answers", tab });
    await navigator.locks.request(this.#lockOf(tab), () => channel.close());
    this.#followers.delete(tab);
  }

  async #connectTo(tab: string): Promise<void> {
    const service = wrap<SearchService>(new BroadcastChannel(`${this.#options.name} ${tab}`)) as unknown as SearchService;
    this.#connect(service, await service.state());
  }

  #connect(service: SearchService, state: SearchState): void {
    clearTimeout(this.#silence);
    const endEarlier = this.#endConnection;
    const over = deferred<void>();
    this.#endConnection = () => over.resolve();
    const connection = { service, over: over.promise };
    this.#joined.resolve(connection);
    this.#connection = Promise.resolve(connection);
    // Whoever asked the one before looks for this one in its place.
    endEarlier();
    this.#options.onState(state);
  }

  #say(message: Message): void {
    this.#channel.postMessage(message);
  }

  #lockOf(tab: string): string {
    return `${this.#options.name} ${tab}`;
  }
}
