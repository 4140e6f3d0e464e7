import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type LaunchOptions } from "playwright";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const elsewhere = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/**
 * Finds a Chromium or Chrome, and gets one where there is none: `CHROMIUM_PATH`, an installed one, Playwright's own
 * download, and for root on Debian the package `chromium`. Throws, with what to install, when none of these works.
 * @returns the path of its executable
 */
export function findBrowser(): string {
  const found = installedBrowser();
  if (found) return found;
  console.log("No Chromium or Chrome is installed: trying Playwright's download");
  run("npx", ["playwright", "install", "chromium"]);
  if (works(chromium.executablePath())) return chromium.executablePath();
  if (process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    console.log("Playwright's Chromium cannot be had or does not start: trying Debian's package");
    run("apt-get", ["update"]);
    run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"]);
  }
  const gotten = installedBrowser();
  if (gotten) return gotten;
  throw new Error("The browser tests need Chromium or Chrome: install one, or set CHROMIUM_PATH to the executable of one.");
}

/** Options under which a Chromium tests this project: nothing but the pages under test speaks to the network. */
export function launchOptions(executablePath: string): LaunchOptions {
  const args = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  // Chromium refuses to start as root with its sandbox.
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return { executablePath, args };
}

function installedBrowser(): string | undefined {
  const { CHROMIUM_PATH, PATH = "" } = process.env;
  if (CHROMIUM_PATH) return CHROMIUM_PATH;
  const inPath = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return [...inPath, ...elsewhere, chromium.executablePath()].find(works);
}

/** Whether it starts: Ubuntu has a `chromium-browser` that only says where to get one, and libraries may be missing. */
function works(path: string): boolean {
  return existsSync(path) && spawnSync(path, ["--version"], { timeout: 30_000 }).status === 0;
}

function run(command: string, args: readonly string[]): void {
  spawnSync(command, args, { stdio: "inherit", timeout: 600_000 });
}
