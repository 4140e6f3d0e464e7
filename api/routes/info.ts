import type { Context } from "hono";
import type { Health, ServiceInfo } from "../../shared/contract.ts";
import type { EncoderInfo } from "../../shared/encoder/encoder.ts";
import type { Service } from "../app.ts";
import { version } from "../version.ts";

/** `GET /health`: at once, also while the model loads. 503 only when it could not be loaded. */
export function healthRoute({ encoder }: Service) {
  return (c: Context): Response => {
    const info = encoder.info();
    const health: Health = { status: statusOf(info), workers: info.workers };
    if (info.error) health.error = info.error.message;
    return c.json(health, info.state === "failed" ? 503 : 200);
  };
}

function statusOf({ state, workers }: EncoderInfo): Health["status"] {
  if (state !== "ready") return state;
  return workers.ready < workers.size ? "degraded" : "ok";
}

/** `GET /info`: what is served. Waits for the model, which is not known before it is loaded. */
export function infoRoute({ encoder, config }: Service) {
  return async (c: Context): Promise<Response> => {
    const model = await encoder.load({ signal: c.req.raw.signal });
    const { device, workers } = encoder.info();
    const body: ServiceInfo = {
      model_id: model.id,
      model_sha: model.fingerprint,
      model_type: { embedding: { pooling: model.pooling } },
      max_input_length: model.maxTokens,
      max_client_batch_size: config.maxTexts,
      version,
      dimensions: model.dimensions,
      prompts: model.prompts,
      device,
      workers,
    };
    return c.json(body);
  };
}
