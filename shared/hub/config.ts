// zod/mini, since pages load this file.
import * as z from "zod/mini";
import type { Model } from "../encoder/encoder.ts";
import { EncoderError } from "../errors.ts";

/** The properties of a model in the configuration files of sentence-transformers. */
export type HubConfig = Pick<Model, "dimensions" | "maxTokens" | "pooling" | "prompts">;

/** Reads a JSON file of a model's repository. Null if the repository has no such file. */
export type ReadJson = (name: string) => Promise<unknown>;

const modulesSchema = z.array(z.object({ type: z.string(), path: z.string() }));

const positiveInteger = z.int().check(z.positive());

/** Current versions of sentence-transformers write one `pooling_mode`; older ones wrote a flag for each mode. */
const poolingSchema = z.union([
  z.object({
    embedding_dimension: positiveInteger,
    pooling_mode: z.union([z.string(), z.array(z.string())]),
    include_prompt: z._default(z.boolean(), true),
  }),
  z.pipe(
    z.catchall(z.object({ word_embedding_dimension: positiveInteger, include_prompt: z._default(z.boolean(), true) }), z.unknown()),
    z.transform(({ word_embedding_dimension, include_prompt, ...flags }) => ({
      embedding_dimension: word_embedding_dimension,
      pooling_mode: Object.keys(flags).filter((name) => name.startsWith("pooling_mode_") && flags[name] === true),
      include_prompt,
    })),
  ),
]);

const poolingModes: { readonly [mode in string]?: Model["pooling"] } = {
  cls: "cls",
  pooling_mode_cls_token: "cls",
  mean: "mean",
  pooling_mode_mean_tokens: "mean",
};

const promptsSchema = z.object({
  prompts: z.nullish(z.record(z.string(), z.string())),
  default_prompt_name: z.nullish(z.string()),
});

const limitSchema = z.object({ max_seq_length: z.nullish(positiveInteger), do_lower_case: z.nullish(z.boolean()) });
const modelLimitSchema = z.object({ max_position_embeddings: positiveInteger });
/** Tokenizers without a limit declare a value of about 1e30. */
const tokenizerLimitSchema = z.object({ model_max_length: z.number().check(z.positive()) });

/**
 * Reads pooling, prompts and token limit as sentence-transformers does. Rejects with `load_failed` if a feature is unsupported or a value
 * is missing: a wrong guess would return plausible vectors with wrong search results.
 * @param id id of the model, for messages
 * @example
 * const { dimensions, prompts } = await readHubConfig("org/name", async (name) => JSON.parse(await readText(name)));
 */
export async function readHubConfig(id: string, read: ReadJson): Promise<HubConfig> {
  const refusal = (reason: string) => new EncoderError("load_failed", `The model ${id} cannot be used: ${reason}`);

  const readOptional = async <T>(name: string, schema: z.ZodMiniType<T>): Promise<T | null> => {
    const json = await read(name);
    if (json === null) return null;
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw refusal(`${name} is not as expected: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };

  const readRequired = async <T>(name: string, schema: z.ZodMiniType<T>, subject: string): Promise<T> => {
    const value = await readOptional(name, schema);
    if (value === null) throw refusal(`its repository has no ${name}, which defines its ${subject}`);
    return value;
  };

  const readPooling = async () => {
    const modules = await readRequired("modules.json", modulesSchema, "pooling");
    const [transformer, pooling, ...rest] = modules;
    const supported = transformer && isModule(transformer, "Transformer") && pooling && isModule(pooling, "Pooling");
    if (!supported || !rest.every((module) => isModule(module, "Normalize"))) {
      const found = modules.map(({ type }) => type).join(", ") || "nothing";
      throw refusal(`modules.json lists ${found}; supported are a Transformer, a Pooling and at most a Normalize, in this order`);
    }
    if (transformer.path !== "") throw refusal(`modules.json puts the Transformer at "${transformer.path}", not at the root`);
    if (!/^\w[\w.-]*$/.test(pooling.path)) throw refusal(`modules.json puts the Pooling at "${pooling.path}", which is not a folder name`);

    const name = `${pooling.path}/config.json`;
    const config = await readRequired(name, poolingSchema, "pooling");
    const modes = [config.pooling_mode].flat();
    const mode = modes.length === 1 ? poolingModes[modes[0] ?? ""] : undefined;
    if (!mode) throw refusal(`${name} requests the pooling ${modes.join(" and ") || "of no mode"}; supported are cls and mean`);
    if (!config.include_prompt)
      throw refusal(`${name} excludes prompts from the pooling (include_prompt is false), which is not supported`);
    return { pooling: mode, dimensions: config.embedding_dimension };
  };

  const readPrompts = async (): Promise<Model["prompts"]> => {
    const name = "config_sentence_transformers.json";
    const config = await readRequired(name, promptsSchema, "prompts");
    const prompts = new Map(Object.entries(config.prompts ?? {}));
    const fallback = config.default_prompt_name == null ? "" : prompts.get(config.default_prompt_name);
    if (fallback === undefined)
      throw refusal(`the default_prompt_name of ${name}, "${config.default_prompt_name}", is not one of its prompts`);
    // The names that encode_query and encode_document of sentence-transformers use, in order of precedence.
    return {
      query: prompts.get("query") ?? fallback,
      passage: prompts.get("document") ?? prompts.get("passage") ?? prompts.get("corpus") ?? fallback,
    };
  };

  const readLimit = async (): Promise<number> => {
    const name = "sentence_bert_config.json";
    const own = await readOptional(name, limitSchema);
    if (own?.do_lower_case) throw refusal(`${name} requests lower case before the tokenizer (do_lower_case), which is not supported`);
    if (own?.max_seq_length) return own.max_seq_length;
    const model = await readRequired("config.json", modelLimitSchema, "token limit");
    const tokenizer = await readRequired("tokenizer_config.json", tokenizerLimitSchema, "token limit");
    return Math.floor(Math.min(model.max_position_embeddings, tokenizer.model_max_length));
  };

  return { ...(await readPooling()), prompts: await readPrompts(), maxTokens: await readLimit() };
}

/** Whether a module is a class of sentence-transformers. Classes of the repository are not supported. */
function isModule({ type }: { readonly type: string }, name: string): boolean {
  return type.startsWith("sentence_transformers.") && type.endsWith(`.${name}`);
}
