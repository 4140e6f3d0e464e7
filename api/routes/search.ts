import { OpenAPIHono } from "@hono/zod-openapi";
import { searchRequestSchema, searchResponseSchema } from "../../shared/contract.ts";
import type { DocumentSearch } from "../document-search.ts";
import { addRoute, computeFailures, jsonAnswer, jsonBody } from "../openapi.ts";
import { readBody } from "./body.ts";

/** `POST /search`: keyword, semantic or hybrid search over the documents of an index file. */
export function searchRoutes(documents: DocumentSearch): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "post",
      path: "/search",
      tags: ["Search"],
      summary: "Search documents",
      request: jsonBody(searchRequestSchema),
      responses: { 200: jsonAnswer("Passages, best first.", searchResponseSchema), ...computeFailures },
    },
    async (c) => {
      const request = await readBody(c, searchRequestSchema);
      return c.json(await documents.search(request, { signal: c.get("signal") }));
    },
  );
  return routes;
}
