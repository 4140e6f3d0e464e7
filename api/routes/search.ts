import { OpenAPIHono } from "@hono/zod-openapi";
import { searchRequestSchema, searchResponseSchema } from "../../shared/contract.ts";
import type { SearchEngine } from "../../shared/search/search-engine.ts";
import { addRoute, computeFailures, jsonAnswer, jsonBody } from "../openapi.ts";
import { readBody } from "./body.ts";

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
      const signal = c.get("signal");
      // A page answers by words while the model loads; who asks a server wants the whole answer.
      if (mode !== "keyword") await engine.load({ signal });
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
