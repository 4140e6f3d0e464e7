import { EncoderError } from "../../shared/errors.ts";
import { isLoopback } from "./host-names.ts";
import { createLog } from "./log.ts";
import { startServer } from "./server.ts";
import { type Environment, readSettings, type Settings, SettingsError } from "./settings.ts";
import { printable } from "./terminal.ts";

/** Maximum ms to write the last log lines. */
const logTimeout = 500;

/**
 * Runs the Node.js service until SIGTERM or SIGINT, then completes pending requests and exits the process. A second signal exits at once.
 *
 * Exit codes: 0 after shutdown, 128 plus the signal's number after a second signal, 1 if startup failed, 2 for invalid settings.
 */
export async function serve(environment: Environment): Promise<void> {
  const settings = settingsOf(environment);
  try {
    const log = createLog(settings.logLevel);
    const server = await startServer({ ...settings, observer: log });
    const open = settings.config.apiKeys.length === 0 && !isLoopback(new URL(server.url).hostname);
    log.onStart({ url: server.url, open });
    // Messages for people go to stderr, because stdout contains the log.
    console.error(`Search page  ${server.url}/\nEmbeddings   ${server.url}/embed`);
    if (open) console.error("Open         The API requires no key and is reachable from other machines. Set API_KEYS to require a key.");
    let ending = false;
    const end = async (signal: NodeJS.Signals, number: number) => {
      if (ending) process.exit(128 + number);
      ending = true;
      log.onStop({ signal });
      const left = await server.close();
      log.onStopped({ unanswered: left });
      if (left > 0) console.error(`samevec: requests not completed within SHUTDOWN_TIMEOUT: ${left}`);
      // A blocked reader of the log would keep the process running.
      if (!(await log.flush(logTimeout))) process.kill(process.pid, "SIGKILL");
      process.exit(0);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
    server.indexReady?.then(
      () => console.error("Index        ready"),
      (error) => {
        if (!ending) console.error(`Index        ${EncoderError.from(error).message}\n             The next request to /search retries.`);
      },
    );
    await server.ready.then(
      () => console.error("Model        ready"),
      (error) => {
        if (!ending) console.error(printable(`Model        ${EncoderError.from(error).message}\n             Retrying in the background.`));
      },
    );
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const reason = error instanceof Error ? error.message : String(error);
    console.error(printable(`samevec: ${inUse ? `port ${settings.port} is in use; set PORT to another` : reason}`));
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
