import { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { SearchEngine } from "../../shared/search/search-engine.ts";
import { addRoute, computeFailures, jsonAnswer, jsonBody } from "../openapi.ts";
import { readBody } from "./body.ts";

const searchRequestSchema = z.object({
  query: z.string("must be a text").min(1, "must not be empty").meta({ example: 'heating "heat pump" -noise' }),
  limit: z.int().min(1).max(100).default(10).meta({ description: "The most results." }),
  min_score: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta({ description: "The least relevance in meaning; above 0, what was found by words alone is left out." }),
  mode: z.enum(["hybrid", "meaning", "words"]).default("hybrid"),
  filter: z
    .object({
      documents: z.array(z.string()).optional().meta({ description: 'Ids; one that ends in "/" stands for all that begin with it.' }),
      kinds: z.array(z.string()).optional(),
    })
    .default({}),
});

const place = z.object({ start: z.int(), end: z.int() });

const searchResponseSchema = z.object({
  mode: z.enum(["hybrid", "meaning", "words"]).meta({ description: "What was searched by." }),
  results: z.array(
    z.object({
      document: z.object({ id: z.string(), title: z.string(), kind: z.string() }),
      text: z.string(),
      ...place.shape,
      headings: z.array(z.string()),
      score: z.number().nullable().meta({ description: "Relevance in meaning, 0 to 1; null where there is no vector." }),
      weak: z.boolean(),
      words: z.array(place).meta({ description: "Where words of the query stand, in UTF-16 code units of the document." }),
    }),
  ),
});

/** `POST /search`: the documents of an index file, by words and by meaning. */
export function searchRoutes(engine: SearchEngine): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/search",
      tags: ["Search"],
      summary: "Passages that answer a query",
      request: jsonBody(searchRequestSchema),
      responses: { 200: jsonAnswer("Passages, best first.", searchResponseSchema), ...computeFailures },
    },
    async (c) => {
      const { query, limit, min_score, mode, filter } = await readBody(c, searchRequestSchema);
      const { documents, kinds } = filter;
      const { signal } = c.req.raw;
      // A page answers by words while the model loads; who asks a server wants the whole answer.
      if (mode !== "words") await engine.load({ signal });
      const answer = await engine.search(query, {
        limit,
        mode,
        filter: { ...(documents && { documents }), ...(kinds && { kinds }) },
        signal,
      });
      const results = answer.results
        .filter(({ relevance }) => min_score === 0 || (relevance ?? 0) >= min_score)
        .map(({ document: { id, title, kind }, passage: { text, start, end, headings }, relevance, weak, words }) => ({
          ...{ document: { id, title, kind }, text, start, end, headings, score: relevance, weak, words },
        }));
      return c.json({ mode: answer.mode, results });
    },
  );
  return routes;
}
