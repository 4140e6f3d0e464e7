import { chromium, type Page } from "playwright";
import { findBrowser, launchOptions } from "../../tests/e2e/browser.ts";
import type { Method } from "../bench-page.ts";
import type { PageServer } from "../page-server.ts";
import type { MeasuredDevice } from "./device.ts";

type Device = Method["device"];

/** The benchmark's page in a Chromium of its own. */
interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Of the Chromium. */
  readonly version: string;
}

export async function openPage(server: PageServer, device: Device): Promise<OpenedPage> {
  const { args = [], ...options } = launchOptions(findBrowser());
  const browser = await chromium.launch({ ...options, args: device === "webgpu" ? [...args, "--enable-unsafe-webgpu"] : args });
  try {
    const page = await browser.newPage({ serviceWorkers: "block" });
    await page.goto(server.url);
    return { page, version: browser.version(), [Symbol.asyncDispose]: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

/**
 * The encoder of a page in Chromium: WASM on two workers, or WebGPU on whatever adapter there is, one in software too.
 * Rejects as `createEncoder` does where the device cannot be had.
 */
export async function openChromium(server: PageServer, device: Device): Promise<MeasuredDevice> {
  const opened = await openPage(server, device);
  try {
    const method = { encoder: "samevec", device, workers: device === "wasm" ? 2 : 1 } as const;
    await opened.page.evaluate((method) => benchPage.load(method), method);
    return deviceOf(opened);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** How many vectors come from the page in one message. */
const textsPerMessage = 512;

function deviceOf({ page, [Symbol.asyncDispose]: close }: OpenedPage): MeasuredDevice {
  return {
    async embed(texts, kind) {
      const handle = await page.evaluateHandle(({ texts, kind }) => benchPage.vectorsOf(texts, kind), { texts, kind });
      const vectors: Float32Array[] = [];
      for (let start = 0; start < texts.length; start += textsPerMessage) {
        const part = await handle.evaluate((vectors, [start, end]) => vectors.slice(start, end), [start, start + textsPerMessage] as const);
        vectors.push(...part.map((vector) => Float32Array.from(vector)));
      }
      await handle.dispose();
      return vectors;
    },
    [Symbol.asyncDispose]: close,
  };
}
