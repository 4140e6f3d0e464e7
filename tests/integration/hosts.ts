import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { Miniflare, Response } from "miniflare";
import { chromium } from "playwright";
import { z } from "zod";
import { findBrowser, launchOptions } from "../e2e/browser.ts";
import type { Results } from "./hosts/compute.ts";
import type { WorkFolder } from "./work-folder.ts";

const resultsSchema = z.object({
  valid: z.array(z.string()),
  computed: z.array(z.object({ build: z.string(), vectors: z.string() })),
});

function parseResults(json: string): Results {
  return resultsSchema.parse(JSON.parse(json));
}

/** @param executable of a Node */
export async function computeInNode(folder: WorkFolder, executable: string): Promise<Results> {
  return parseResults(await outputOf(executable, [join(folder.path, "node.js"), folder.path]));
}

/** Installs a Node from npm. Gives its executable and its folder, which is the caller's to remove. */
export async function installNode(version: string): Promise<{ readonly executable: string; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "samevec-node-"));
  const name = `node-${process.platform}-${process.arch}`;
  await outputOf("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, `${name}@${version}`]);
  return { executable: join(folder, "node_modules", name, "bin/node"), folder };
}

export async function computeInJavaScriptCore(folder: WorkFolder): Promise<Results> {
  return parseResults(await outputOf("jsc", ["-m", join(folder.path, "shell.js"), "--", folder.path]));
}

/** In a worker of a page. */
export function computeInChromium(folder: WorkFolder): Promise<Results> {
  return fromPage(folder, async (url) => {
    const browser = await chromium.launch(launchOptions(findBrowser()));
    await (await browser.newPage()).goto(url);
    return () => browser.close();
  });
}

/** What keeps a Firefox from speaking to anybody but the page's server. */
const firefoxSettings = {
  "app.normandy.enabled": false,
  "app.update.auto": false,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.downloads.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.healthreport.uploadEnabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "http://127.0.0.1:9",
  "toolkit.telemetry.enabled": false,
};

/** In a worker of a page. */
export function computeInFirefox(folder: WorkFolder): Promise<Results> {
  return fromPage(folder, async (url) => {
    const profile = await mkdtemp(join(tmpdir(), "samevec-firefox-"));
    const lines = Object.entries(firefoxSettings).map((setting) => `user_pref(${setting.map((part) => JSON.stringify(part)).join(", ")});`);
    await writeFile(join(profile, "user.js"), lines.join("\n"));
    // Firefox refuses a home that is another user's.
    const env = { ...process.env, HOME: profile };
    const child = spawn("firefox-esr", ["--headless", "--no-remote", "--profile", profile, url], { stdio: "ignore", env });
    const ended = once(child, "exit");
    await Promise.race([once(child, "spawn"), ended]);
    return async () => {
      child.kill("SIGTERM");
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    };
  });
}

/** In workerd, which is handed the builds compiled. */
export async function computeInIsolate(folder: WorkFolder): Promise<Results> {
  const module = async (name: string) => ({ type: "CompiledWasm" as const, path: name, contents: await folder.read(name) });
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    // Else Miniflare itself asks the network for a place to pretend to be in.
    cf: false,
    modules: [
      { type: "ESModule", path: "isolate.js", contents: await readFile(join(folder.path, "isolate.js"), "utf8") },
      await module("checked.wasm"),
      await module("plain.wasm"),
      await module("relaxed.wasm"),
    ],
    compatibilityDate: "2026-04-26",
    serviceBindings: { FILES: async ({ url }: { url: string }) => new Response(await folder.read(basename(new URL(url).pathname))) },
  });
  try {
    const response = await fetch(await miniflare.ready);
    if (!response.ok) throw new Error(`The isolate answered ${response.status}: ${await response.text()}`);
    return parseResults(await response.text());
  } finally {
    await miniflare.dispose();
  }
}

const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".json": "application/json" };

/**
 * Serves the folder to a page, and gives what the page posts.
 * @param open opens the page in a browser; gives what closes the browser
 */
async function fromPage(folder: WorkFolder, open: (url: string) => Promise<() => Promise<unknown>>): Promise<Results> {
  const server = createServer();
  const posted = new Promise<string>((resolve, reject) => {
    server.on("request", async (request, response) => {
      const name = basename(new URL(request.url ?? "/", "http://localhost").pathname) || "index.html";
      if (request.method === "POST") {
        resolve(await text(request));
        response.end();
        return;
      }
      const file = createReadStream(join(folder.path, name));
      file.once("error", () => response.writeHead(404).end());
      response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream");
      file.pipe(response);
    });
    server.once("error", reject);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  try {
    return parseResults(await posted);
  } finally {
    await close();
    server.closeAllConnections();
    server.close();
  }
}

/** Runs a command to its end and gives what it printed. */
async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code !== 0) throw new Error(`${command} ended with code ${code}: ${stderr}${stdout.slice(0, 2_000)}`);
  return stdout;
}
