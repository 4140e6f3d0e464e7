/** The Node service: `npm start`. Its settings are the environment's. */
import { z } from "zod";
import { EncoderError } from "../shared/errors.ts";
import type { ModelSource } from "./encoder.ts";
import { startServer } from "./server.ts";

const settingsSchema = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  /** Sessions of one thread each; default: one for each core. */
  WORKERS: z.coerce.number().int().min(1).max(256).optional(),
  /** A model of the Hugging Face hub, `org/name` or `org/name@revision`; default: the bundled one. */
  MODEL: z
    .string()
    .regex(/^[\w.-]+\/[\w.-]+(@[\w.-]+)?$/, "must be org/name or org/name@revision")
    .optional(),
  HF_ENDPOINT: z.url().optional(),
});

const settings = settingsSchema.safeParse(process.env);
if (!settings.success) {
  console.error(`samevec: the environment is not right\n${z.prettifyError(settings.error)}`);
  process.exit(2);
}
const { HOST, PORT, WORKERS, MODEL, HF_ENDPOINT } = settings.data;
const model: ModelSource | undefined = MODEL === undefined ? undefined : { hub: MODEL, ...(HF_ENDPOINT && { endpoint: HF_ENDPOINT }) };

try {
  const server = await startServer({ host: HOST, port: PORT, ...(WORKERS && { workers: WORKERS }), ...(model && { model }) });
  console.log(`Search page  ${server.url}/\nEmbeddings   ${server.url}/embed`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await server.close();
      process.exit(0);
    });
  }
  await server.ready.then(
    () => console.log("Model        ready"),
    (error) => console.error(`Model        ${EncoderError.from(error).message}\n             The next request tries again.`),
  );
} catch (error) {
  const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  console.error(`samevec: ${inUse ? `port ${PORT} is taken; choose another by PORT=…` : EncoderError.from(error).message}`);
  process.exit(1);
}
