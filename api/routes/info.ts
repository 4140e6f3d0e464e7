import { OpenAPIHono } from "@hono/zod-openapi";
import { errorResponseSchema, type Health, healthSchema, type ServiceInfo, serviceInfoSchema } from "../../shared/contract.ts";
import type { EncoderInfo } from "../../shared/encoder/encoder.ts";
import { publicError } from "../errors.ts";
import { addRoute, failureAnswers, jsonAnswer } from "../openapi.ts";
import type { Service } from "../service.ts";
import { version } from "../version.ts";

/** `GET /health` and `GET /info`: the status, and the model with its limits. */
export function infoRoutes({ encoder, config }: Service): OpenAPIHono {
  const routes = new OpenAPIHono();
  addRoute(
    routes,
    {
      method: "get",
      path: "/health",
      tags: ["Service"],
      summary: "Get the status, also while the model loads",
      security: [],
      responses: {
        200: jsonAnswer("The service is ready, idle or loading the model.", healthSchema),
        503: jsonAnswer("The model could not be loaded.", healthSchema),
      },
    },
    (c) => {
      const info = encoder.info();
      const health: Health = { status: statusOf(info), workers: info.workers };
      if (info.error) health.error = publicError(info.error).message;
      return c.json(health, info.state === "failed" ? 503 : 200);
    },
  );
  addRoute(
    routes,
    {
      method: "get",
      path: "/info",
      tags: ["Service"],
      summary: "Get the model and its limits. Waits until the model is loaded",
      responses: {
        200: jsonAnswer("The model and its limits.", serviceInfoSchema),
        ...failureAnswers(errorResponseSchema, [401, 421, 429, 500, 503]),
      },
    },
    async (c) => {
      const model = await encoder.load({ signal: c.get("signal") });
      const { device, workers } = encoder.info();
      const body: ServiceInfo = {
        model_id: model.id,
        model_sha: model.fingerprint,
        model_type: { embedding: { pooling: model.pooling } },
        max_input_length: model.maxTokens,
        max_client_batch_size: config.maxTexts,
        auto_truncate: true,
        version,
        dimensions: model.dimensions,
        prompts: model.prompts,
        device,
        workers,
      };
      return c.json(body);
    },
  );
  return routes;
}

function statusOf({ state, workers }: EncoderInfo): Health["status"] {
  if (state !== "ready") return state;
  return workers.ready < workers.size ? "degraded" : "ok";
}
