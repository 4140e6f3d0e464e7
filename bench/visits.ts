import type { Method, PageModel } from "./bench-page.ts";
import { CountingProxy } from "./counting-proxy.ts";
import type { PageServer } from "./page-server.ts";
import { Profile } from "./profile.ts";
import type { Visits } from "./results.ts";

/** Embedded as soon as the page is there. */
const text = "my flat is cold at night";

/** The longest that a visit may take, in ms. */
const patience = 5 * 60_000;

/** What someone waits for, and downloads, who comes for the first time, and again in a browser that was started anew. */
export async function measureVisits(server: PageServer, method: (model: PageModel) => Method): Promise<Pick<Visits, "cold" | "warm">> {
  await using proxy = await CountingProxy.before(server.url);
  await using profile = await Profile.fresh("block");
  const visit = () =>
    profile.visit(async (context) => {
      const deadline = setTimeout(() => void context.close(), patience);
      try {
        const page = await context.newPage();
        proxy.take();
        await page.goto(`${proxy.origin}/`);
        const ms = await page.evaluate(({ method, text }) => benchPage.first(method, text), { method: method(server.model), text });
        const longestTask = await page.evaluate(() => benchPage.longestTask());
        return { ms, bytes: proxy.take(), longestTask };
      } finally {
        clearTimeout(deadline);
      }
    });
  const cold = await visit();
  return { cold, warm: await visit() };
}
