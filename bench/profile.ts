import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright";
import { findBrowser, launchOptions } from "../tests/e2e/browser.ts";

/** A person's browser, which is started anew for each visit and keeps what it has downloaded. */
export class Profile implements AsyncDisposable {
  readonly #directory: string;
  readonly #serviceWorkers: "allow" | "block";

  private constructor(directory: string, serviceWorkers: "allow" | "block") {
    this.#directory = directory;
    this.#serviceWorkers = serviceWorkers;
  }

  static async fresh(serviceWorkers: "allow" | "block"): Promise<Profile> {
    return new Profile(await mkdtemp(join(tmpdir(), "samevec-profile-")), serviceWorkers);
  }

  async visit<Result>(use: (context: BrowserContext) => Promise<Result>): Promise<Result> {
    const context = await chromium.launchPersistentContext(this.#directory, {
      ...launchOptions(findBrowser()),
      serviceWorkers: this.#serviceWorkers,
    });
    try {
      return await use(context);
    } finally {
      await context.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A browser that was closed may write its last for a moment.
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
