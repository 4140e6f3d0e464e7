import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { ServerProcess } from "./server-process.ts";

const dockerfile = await readFile(new URL("../../Dockerfile", import.meta.url), "utf8");

let server: ServerProcess | undefined;
afterEach(() => server?.stop("SIGKILL"));

/** Runs the image's health check against a port of this machine. */
async function healthCheck(port: string): Promise<number> {
  const [, command = ""] = /^HEALTHCHECK[^[]*CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const [, ...args] = z.array(z.string()).parse(JSON.parse(command));
  const run = promisify(execFile)(process.execPath, args, { env: { ...process.env, PORT: port } });
  return run.then(
    () => 0,
    ({ code }: { code: number }) => code,
  );
}

test("the image's health check requests the port set by PORT", async () => {
  server = await ServerProcess.start();
  const { port } = new URL(server.url);
  expect(await healthCheck(port)).toBe(0);
  await server.stop("SIGKILL");
  expect(await healthCheck(port)).toBe(1);
});

test("every stage of the image uses one base image, pinned by digest", () => {
  expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:20\.20\.2-bookworm-slim@sha256:[0-9a-f]{64}$/m);
  for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/^\$\{NODE_IMAGE\}$/);
});
