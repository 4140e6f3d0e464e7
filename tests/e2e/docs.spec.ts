import { expect, test } from "playwright/test";
import { ServerProcess } from "../contract/server-process.ts";

let server: ServerProcess;
test.beforeAll(async () => {
  server = await ServerProcess.start({ WORKERS: "1" });
});
test.afterAll(() => server.stop());

test("/docs shows and tries the service's operations, and requests nothing from another origin", async ({ page }) => {
  const urls: URL[] = [];
  const problems: string[] = [];
  page.context().on("request", (request) => urls.push(new URL(request.url())));
  page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(`${server.url}/docs`);

  const { paths }: { paths: Record<string, Record<string, unknown>> } = await (await page.request.get(`${server.url}/openapi.json`)).json();
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described).toContain("POST /v1/embeddings");
  const operations = page.locator(".opblock-summary");
  await expect(operations).toHaveCount(described.length);
  const shown = await operations.evaluateAll((rows) =>
    rows.map((row) =>
      [".opblock-summary-method", ".opblock-summary-path"]
        .map((part) => row.querySelector(part)?.textContent?.replaceAll("\u200b", "") ?? "")
        .join(" "),
    ),
  );
  expect(shown.toSorted()).toEqual(described.toSorted());

  const embed = page.locator(".opblock", { has: page.getByText("/embed", { exact: true }) });
  await embed.locator(".opblock-summary").click();
  await embed.getByRole("button", { name: "Try it out" }).click();
  await embed.getByRole("button", { name: "Execute" }).click();
  await expect(embed.locator(".live-responses-table .response .response-col_status")).toContainText("200");

  const fetched = urls.filter(({ protocol }) => protocol !== "data:" && protocol !== "blob:");
  expect(fetched.some(({ pathname }) => pathname === "/openapi.json")).toBe(true);
  expect(fetched.map(({ origin }) => origin)).toEqual(fetched.map(() => server.url));
  expect(problems).toEqual([]);
});
