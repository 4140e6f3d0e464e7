import type { Model } from "../../shared/encoder/encoder.ts";
import type { OpenModel } from "../../shared/encoder/model-runner.ts";
import type { WorkerHandle } from "../../shared/encoder/protocol.ts";
import type { BatchPolicy } from "../../shared/encoder/session.ts";
import { oneTextPerRun } from "../../shared/encoder/session.ts";
import type { Tokenizer } from "../../shared/encoder/tokenizer.ts";
import { exposeEncoder } from "../../shared/encoder/worker.ts";

type Port = InstanceType<typeof MessageChannel>["port1"];

/** Node's MessagePort is a browser's, but for some of its types. */
const endpointOf = (port: Port) => port as unknown as WorkerHandle["endpoint"];

/** What a fake model did, and what it shall do next. */
export class FakeModel {
  readonly batch: BatchPolicy;
  /** Sessions made, sessions freed, and texts in the order in which they ran. */
  opened = 0;
  disposed = 0;
  readonly ran: string[] = [];
  readonly runSizes: number[] = [];
  inFlight = 0;
  mostInFlight = 0;
  /** Thrown by the next loads, first in, first out. */
  readonly loadFailures: Error[] = [];
  /** Called before each run's vectors are given, with the run's texts. */
  onRun: (texts: string[]) => Promise<void> | void = () => new Promise((resolve) => setTimeout(resolve, 0));

  constructor(batch: BatchPolicy = oneTextPerRun) {
    this.batch = batch;
  }

  static readonly model: Model = {
    id: "fake",
    fingerprint: "f".repeat(64),
    dimensions: 8,
    maxTokens: 16,
    pooling: "cls",
    prompts: { query: "ask ", passage: "" },
    relevance: { center: 0.155, slope: 42, background: 0.45 },
  };

  /** A token is a character; a vector depends on nothing but the characters and their places. */
  readonly open: OpenModel = async () => {
    this.opened += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    const failure = this.loadFailures.shift();
    if (failure) throw failure;
    return {
      model: FakeModel.model,
      tokenizer: fakeTokenizer,
      session: {
        device: "wasm",
        batch: this.batch,
        run: async (sequences) => {
          this.inFlight += 1;
          this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
          try {
            const texts = sequences.map((ids) => String.fromCodePoint(...ids.slice(1, -1)));
            await this.onRun(texts);
            this.ran.push(...texts);
            this.runSizes.push(texts.length);
            return sequences.map(fakeVector);
          } finally {
            this.inFlight -= 1;
          }
        },
        dispose: async () => {
          this.disposed += 1;
        },
      },
      selfTest: null,
      otherwise: null,
    };
  };

  /** A worker of this model on this thread, over a real message channel: what crosses is really cloned. */
  readonly spawn = (): FakeWorker => {
    const { port1, port2 } = new MessageChannel();
    exposeEncoder(() => this.open, endpointOf(port2));
    const worker = new FakeWorker(port1);
    this.workers.push(worker);
    return worker;
  };
  readonly workers: FakeWorker[] = [];
}

export class FakeWorker implements WorkerHandle {
  readonly endpoint: WorkerHandle["endpoint"];
  terminated = false;
  readonly #port: Port;
  #onDeath: (reason: string) => void = () => {};

  constructor(port: Port) {
    this.#port = port;
    this.endpoint = endpointOf(port);
  }

  onDeath(listener: (reason: string) => void): void {
    this.#onDeath = listener;
  }

  terminate(): void {
    this.terminated = true;
    this.#port.close();
  }

  /** Ends as a crashed thread does: no answer, only the event. */
  die(): void {
    this.#port.close();
    this.#onDeath("killed by the test");
  }
}

function fakeVector(ids: readonly number[]): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(FakeModel.model.dimensions);
  for (const [place, id] of ids.entries()) {
    const at = (place + id) % vector.length;
    vector[at] = (vector[at] ?? 0) + Math.sin(id * (place + 1)) + 0.01;
  }
  return vector;
}

const codeOf = (character: string) => character.codePointAt(0) ?? 0;

const fakeTokenizer: Tokenizer = {
  encode: (text) => [1, ...Array.from(text, codeOf), 2],
  tokenize(text, { prompt, specialTokens }) {
    const special = (id: number) => ({ id, text: "", special: true, start: null, stop: null });
    const own = Array.from(prompt + text, (character, place) => {
      const start = place - Array.from(prompt).length;
      return {
        id: codeOf(character),
        text: character,
        special: false,
        ...(start < 0 ? { start: null, stop: null } : { start, stop: start + 1 }),
      };
    });
    return specialTokens ? [special(1), ...own, special(2)] : own;
  },
};
