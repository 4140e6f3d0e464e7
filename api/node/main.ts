/** The Node service: `npm start`. Its settings are the environment's: see config.ts. */
import { serve } from "./serve.ts";

await serve(process.env);
