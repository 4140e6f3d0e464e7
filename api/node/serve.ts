import { EncoderError } from "../../shared/errors.ts";
import { isLoopback } from "./host-names.ts";
import { createLog } from "./log.ts";
import { startServer } from "./server.ts";
import { type Environment, readSettings, type Settings, SettingsError } from "./settings.ts";
import { printable } from "./terminal.ts";

/** For the last lines of the log, in ms. */
const logTimeout = 500;

/**
 * Runs the Node service until SIGTERM or SIGINT ends it, and the process with it, once what it was asked is answered: 0,
 * or as the signal says when a second one came meanwhile; 1 when it could not start, 2 when its settings are wrong.
 */
export async function serve(environment: Environment): Promise<void> {
  const settings = settingsOf(environment);
  try {
    const log = createLog(settings.logLevel);
    const server = await startServer({ ...settings, observer: log });
    const open = settings.config.apiKeys.length === 0 && !isLoopback(new URL(server.url).hostname);
    log.onStart({ url: server.url, open });
    // What is for a person goes to stderr: stdout is the log's.
    console.error(`Search page  ${server.url}/\nEmbeddings   ${server.url}/embed`);
    if (open) console.error("Open         whoever reaches this address may use the API; API_KEYS=… asks for a key");
    let ending = false;
    const end = async (signal: NodeJS.Signals, number: number) => {
      if (ending) process.exit(128 + number);
      ending = true;
      log.onStop({ signal });
      const left = await server.close();
      log.onStopped({ unanswered: left });
      if (left > 0) console.error(`samevec: the time was up for ${left} requests`);
      // A log whose reader has stopped would hold the process for ever.
      if (!(await log.flush(logTimeout))) process.kill(process.pid, "SIGKILL");
      process.exit(0);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
    server.indexReady?.then(
      () => console.error("Index        ready"),
      (error) => {
        if (!ending) console.error(`Index        ${EncoderError.from(error).message}\n             Requests to /search try again.`);
      },
    );
    await server.ready.then(
      () => console.error("Model        ready"),
      (error) => {
        if (!ending)
          console.error(printable(`Model        ${EncoderError.from(error).message}\n             It is tried again by itself.`));
      },
    );
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const reason = error instanceof Error ? error.message : String(error);
    console.error(printable(`samevec: ${inUse ? `port ${settings.port} is taken; choose another by PORT=…` : reason}`));
    process.exit(1);
  }
}

function settingsOf(environment: Environment): Settings {
  try {
    return readSettings(environment);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(printable(`samevec: ${error.message}`));
    process.exit(2);
  }
}
