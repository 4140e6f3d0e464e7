import { type Endpoint, expose, transfer } from "../comlink.ts";
import { EncoderError, type PlainEncoderError } from "../errors.ts";
import { type ModelInput, type ModelRunner, type OpenModel, openModelRunner } from "./model-runner.ts";
import type { RemoteWorker, TextResult, WorkerRole } from "./protocol.ts";
import { textsOfRun } from "./session.ts";
import { packTokens } from "./token-columns.ts";

/**
 * Exposes a model to an {@link EncoderPool}. The worker's entry chooses the session for its platform.
 * @param opener returns the function that opens the model, given the pool's prepared data and the worker's role
 * @param endpoint the endpoint of the pool. Default: the global scope of a Web Worker.
 * @example
 * exposeEncoder<Prepared>(({ manifest, load, modules }) => openWasmModel({ manifest, load, modules }));
 */
export function exposeEncoder<Prepared>(opener: (prepared: Prepared, role: WorkerRole) => OpenModel, endpoint?: Endpoint): void {
  let runner: ModelRunner | null = null;

  const loaded = (): ModelRunner => {
    if (!runner) throw new EncoderError("internal", "The worker was called before it was loaded");
    return runner;
  };

  const worker: RemoteWorker<Prepared> = {
    async load(prepared, role) {
      runner = await openModelRunner(opener(prepared, role));
      const { device, batch } = runner.session;
      return { model: runner.model, device, batch };
    },

    async embed(items) {
      const { prepare, run, session } = loaded();
      const prepared: (ModelInput | PlainEncoderError)[] = [];
      const inputs: ModelInput[] = [];
      const lengths: number[] = [];
      // Tokenizes one text at a time, and stops at the first text that does not fit into the run.
      for (const item of items) {
        try {
          const input = prepare(item);
          lengths.push(input.ids.length);
          if (textsOfRun(lengths, session.batch) < lengths.length) break;
          inputs.push(input);
          prepared.push(input);
        } catch (error) {
          prepared.push(EncoderError.from(error).toPlain());
        }
      }
      const began = performance.now();
      const vectors = inputs.length > 0 ? await run(inputs) : [];
      const ms = performance.now() - began;
      const computed = vectors.values();
      const results = prepared.map((input): TextResult<PlainEncoderError> => {
        if ("code" in input) return { error: input };
        const { value: vector } = computed.next();
        if (!vector) throw new EncoderError("internal", "The run returned fewer vectors than texts");
        return { vector, tokens: input.ids.length, truncated: input.truncated };
      });
      return transfer(
        { results, ms },
        vectors.map(({ buffer }) => buffer),
      );
    },

    tokenize: async (text, options) => packTokens(loaded().tokenize(text, options)),
  };
  expose(worker, endpoint);
}
