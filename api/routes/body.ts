import type { Context } from "hono";
import type { z } from "zod";
import { EncoderError, type ErrorCode } from "../../shared/errors.ts";
import { runLongTask } from "../long-tasks.ts";
import { declaredLength } from "../middleware/body-size.ts";
import type { AppConfig } from "../service.ts";

/** Bodies of more bytes than this are parsed as a long task: they take a millisecond or more. */
const shortBody = 64 * 1024;

/**
 * Parses and validates the request body. Throws `invalid_json`, `empty_input` or `invalid_request`; `details.path` names the field.
 */
export async function readBody<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.output<Schema>> {
  let body: unknown;
  try {
    const bytes = declaredLength(c);
    if (bytes !== null && bytes <= shortBody) body = await c.req.json();
    else {
      const json = await c.req.text();
      body = await runLongTask((): unknown => JSON.parse(json));
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new EncoderError("invalid_json", "The body is not valid JSON");
    throw error;
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const { code, path, message } = firstFault(parsed.error.issues);
  if (!path) throw new EncoderError("invalid_request", "The body must be a JSON object");
  throw new EncoderError(code, `${path}: ${message}`, { path });
}

/** Returns the first issue. For a union, returns the issue with the deepest path: `inputs.3` is more specific than `inputs`. */
function firstFault(issues: readonly z.core.$ZodIssue[]): { code: ErrorCode; path: string; message: string } {
  const [issue] = issues;
  if (!issue) return { code: "invalid_request", path: "", message: "" };
  const { path, message } = issue;
  if (issue.code === "invalid_union") {
    const deepest = issue.errors.flat().sort((a, b) => b.path.length - a.path.length)[0];
    if (deepest && deepest.path.length > 0) return firstFault([{ ...deepest, path: [...path, ...deepest.path] }]);
  }
  const code = issue.code === "too_small" && issue.origin === "array" ? "empty_input" : "invalid_request";
  return { code, path: path.join("."), message };
}

/** Converts `inputs` to a list. Throws `too_many_texts` or `text_too_long`. */
export function textsOf(
  inputs: string | readonly string[],
  { maxTexts, maxTextCharacters, maxCharacters }: Pick<AppConfig, "maxTexts" | "maxTextCharacters" | "maxCharacters">,
): readonly string[] {
  const texts = typeof inputs === "string" ? [inputs] : inputs;
  if (texts.length > maxTexts) {
    throw new EncoderError("too_many_texts", `The request has ${texts.length} texts. The limit is ${maxTexts}`, {
      limit: maxTexts,
      found: texts.length,
    });
  }
  for (const [index, { length }] of texts.entries()) {
    if (length <= maxTextCharacters) continue;
    throw new EncoderError("text_too_long", `The text has ${length} characters. The limit is ${maxTextCharacters}`, {
      index,
      limit: maxTextCharacters,
      found: length,
    });
  }
  const found = texts.reduce((sum, { length }) => sum + length, 0);
  if (found > maxCharacters) {
    const message = `The texts have ${found} characters in total. The limit is ${maxCharacters}`;
    throw new EncoderError("text_too_long", message, { limit: maxCharacters, found });
  }
  return texts;
}
