/** Entry of `npm start`: runs the Node.js service with the settings of the environment (settings.ts). */
import { serve } from "./serve.ts";

await serve(process.env);
