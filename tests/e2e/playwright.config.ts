import { defineConfig } from "playwright/test";
import { findBrowser, launchOptions } from "./browser.ts";

// Found once: the processes that run the tests read this file again, and inherit the answer.
process.env.CHROMIUM_PATH ??= findBrowser();
const browser = launchOptions(process.env.CHROMIUM_PATH);

/** The first of three ports: another checkout on this machine may take others. */
const port = Number(process.env.E2E_PORT ?? 4110);
const encoderPage = `http://127.0.0.1:${port}`;
const searchPage = `http://127.0.0.1:${port + 1}`;
const hubPage = `http://127.0.0.1:${port + 2}`;

/** Builds a page that the tests alone have, and serves it. */
const served = (page: string, url: string) => ({
  command: `vite build --config ${page}/vite.config.ts && vite preview --config ${page}/vite.config.ts --host 127.0.0.1 --port ${new URL(url).port} --strictPort`,
  url,
});

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results",
  reporter: "list",
  // While one test waits for its browser another one computes; more would only share the cores.
  workers: 2,
  // Real browsers on a busy machine: what passes at the second try only is reported as flaky.
  retries: 1,
  timeout: 120_000,
  projects: [
    // Without the service worker: what it keeps is the matter of tests of its own, and these hold requests back.
    { name: "page", testMatch: /\/(page(-[\w-]+)?|docs)\.spec\.ts$/, use: { launchOptions: browser, serviceWorkers: "block" } },
    { name: "offline", testMatch: "offline.spec.ts", use: { launchOptions: browser } },
    { name: "encoder", testMatch: /encoder(-devices|-download)?\.spec\.ts/, use: { baseURL: encoderPage, launchOptions: browser } },
    {
      name: "search",
      testMatch: /(search|reading|followed-folder)\.spec\.ts$/,
      use: { baseURL: searchPage, launchOptions: browser, serviceWorkers: "block" },
    },
    { name: "package", testMatch: "package.spec.ts", use: { launchOptions: browser } },
    { name: "edge", testMatch: "edge.spec.ts", use: { launchOptions: browser } },
    { name: "hub", testMatch: "hub-model.spec.ts", use: { baseURL: hubPage, launchOptions: browser } },
    {
      name: "hub-webgpu",
      testMatch: "hub-model-webgpu.spec.ts",
      use: { baseURL: hubPage, launchOptions: { ...browser, args: [...(browser.args ?? []), "--enable-unsafe-webgpu"] } },
    },
    {
      name: "encoder-webgpu",
      testMatch: "encoder-webgpu.spec.ts",
      // The adapter may be a software one, which takes seconds for a short text.
      timeout: 600_000,
      use: { baseURL: encoderPage, launchOptions: { ...browser, args: [...(browser.args ?? []), "--enable-unsafe-webgpu"] } },
    },
  ],
  webServer: [served("encoder-page", encoderPage), served("search-page", searchPage), served("hub-page", hubPage)],
});
