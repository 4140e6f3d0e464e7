import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../api/app.ts";
import { namesOf } from "../../api/node/host-names.ts";
import { type AppConfig, defaultConfig, type Service } from "../../api/service.ts";
import type { Encoder } from "../../shared/encoder/encoder.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { EncoderError, type ErrorCode } from "../../shared/errors.ts";
import { FakeModel } from "./fake-model.ts";

afterEach(() => vi.useRealTimers());

const appOf = (config: Partial<AppConfig> = {}, service: Partial<Service> = {}) =>
  createApp({ encoder: createSessionEncoder(new FakeModel().open), config: { ...defaultConfig, ...config }, ...service });

const post = (headers: Record<string, string> = {}, body: string | ReadableStream = '{"inputs":"a"}'): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
  ...(body instanceof ReadableStream && { duplex: "half" }),
});

/** A body that fails the test's request when anything of it is read. */
const untouched = () =>
  new ReadableStream(
    {
      pull() {
        throw new Error("the body was read");
      },
    },
    { highWaterMark: 0 },
  );

const answerOf = async (response: Response) => ({ status: response.status, ...((await response.json()) as { code: ErrorCode }) });

describe("the content type", () => {
  test.each(["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json", " application/json "])(
    "the content type %j is accepted as JSON",
    async (type) => {
      expect((await appOf().request("/embed", post({ "content-type": type }))).status).toBe(200);
    },
  );

  test.each([
    "text/plain",
    "text/plain; application/json",
    "application/jsonp",
    "application/json-seq",
    "application/+json",
    "text/json",
    "json",
  ])("the content type %j is rejected before the body is read", async (type) => {
    const response = await appOf().request("/embed", post({ "content-type": type }, untouched()));
    expect(await answerOf(response)).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  test("every operation with a body requires a JSON content type", async () => {
    const app = appOf();
    const { paths } = (await (await app.request("/openapi.json")).json()) as { paths: Record<string, { post?: { responses: object } }> };
    const posts = Object.entries(paths).flatMap(([path, { post }]) => (post ? [{ path, post }] : []));
    expect(posts.length).toBeGreaterThan(3);
    for (const { path, post: operation } of posts) {
      const response = await app.request(path, { method: "POST", body: untouched(), duplex: "half" } as RequestInit);
      expect(response.status, path).toBe(415);
      expect(operation.responses, path).toHaveProperty("415");
    }
  });

  test("a rejected content type is answered in OpenAI's error format on OpenAI routes", async () => {
    const response = await appOf().request("/v1/embeddings", post({ "content-type": "text/plain" }));
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", code: "unsupported_media_type" } });
  });
});

describe("the host name", () => {
  const app = appOf({}, { allowedHosts: namesOf("127.0.0.1", ["search.example.com"]) });
  app.get("*", (c) => c.text("the page"));

  test.each(["localhost", "localhost:3000", "127.0.0.1:1", "[::1]", "[::1]:3000", "LOCALHOST:3000", "search.example.com:8443"])(
    "the host name %s is accepted",
    async (host) => {
      for (const path of ["/", "/health"]) expect((await app.request(path, { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    "attacker.example",
    "localhost.attacker.example",
    "localhost:3000@attacker.example",
    "127.0.0.1.nip.io",
    "10.0.0.1",
    "localhost:80:80",
    "",
  ])("the host name %j is rejected before the body is read", async (host) => {
    for (const path of ["/", "/health", "/docs", "/nowhere"]) {
      expect(await answerOf(await app.request(path, { headers: { host } })), path).toMatchObject({ status: 421, code: "unknown_host" });
    }
    expect((await app.request("/embed", post({ host }, untouched()))).status).toBe(421);
  });

  test("an unknown host name is rejected for preflights too", async () => {
    const open = appOf({ corsOrigins: ["*"] }, { allowedHosts: ["localhost"] });
    const headers = { host: "attacker.example", origin: "http://attacker.example", "access-control-request-method": "POST" };
    expect((await open.request("/embed", { method: "OPTIONS", headers })).status).toBe(421);
  });

  test("any host name is accepted when no allowed hosts are configured", async () => {
    expect((await appOf().request("/health", { headers: { host: "any.example" } })).status).toBe(200);
  });
});

/** An app whose requests wait, once their bodies are read, until they are let go. */
function waitingApp(config: Partial<AppConfig>) {
  const letGo: (() => void)[] = [];
  const encoder: Encoder = createSessionEncoder(new FakeModel().open);
  const embed = encoder.embed.bind(encoder);
  encoder.embed = async (...args: Parameters<Encoder["embed"]>) => {
    await new Promise<void>((resolve) => letGo.push(resolve));
    return embed(...args);
  };
  return { app: appOf(config, { encoder }), letGo };
}

const textOf = (bytes: number) => JSON.stringify({ inputs: "a".repeat(bytes - '{"inputs":""}'.length) });
const declared = (bytes: number, body: string | ReadableStream = textOf(bytes)) => post({ "content-length": String(bytes) }, body);

describe("bodies in flight", () => {
  test("bodies beyond the budget are rejected before they are read, and accepted once there is room", async () => {
    const { app, letGo } = waitingApp({ maxBodyBytes: 100, maxBodyBytesInFlight: 150 });
    const first = app.request("/embed", declared(100));
    await vi.waitFor(() => expect(letGo).toHaveLength(1));
    const refused = await app.request("/similarity", declared(51, untouched()));
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await answerOf(refused)).toMatchObject({ status: 429, code: "overloaded" });
    const second = app.request("/embed", declared(50));
    await vi.waitFor(() => expect(letGo).toHaveLength(2));
    letGo[0]?.();
    expect((await first).status).toBe(200);
    const third = app.request("/embed", declared(100));
    await vi.waitFor(() => expect(letGo).toHaveLength(3));
    for (const go of letGo) go();
    expect((await second).status).toBe(200);
    expect((await third).status).toBe(200);
  });

  test("chunked bodies count as the maximum size, and at most half of the body budget", async () => {
    const { app, letGo } = waitingApp({ maxBodyBytes: 100, maxBodyBytesInFlight: 100 });
    const chunked = () => post({ "transfer-encoding": "chunked" }, new Blob([textOf(20)]).stream());
    const both = [app.request("/embed", chunked()), app.request("/embed", chunked())];
    await vi.waitFor(() => expect(letGo).toHaveLength(2));
    expect((await app.request("/embed", chunked())).status).toBe(429);
    for (const go of letGo) go();
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test("a single body is accepted whatever the body budget", async () => {
    expect((await appOf({ maxBodyBytes: 100, maxBodyBytesInFlight: 1 }).request("/embed", declared(100))).status).toBe(200);
  });

  test("failed bodies return their share of the body budget", async () => {
    const app = appOf({ maxBodyBytes: 100, maxBodyBytesInFlight: 100 });
    const statusOf = async (body: string | ReadableStream) => (await app.request("/embed", declared(100, body))).status;
    expect(await statusOf("{")).toBe(400);
    expect(await statusOf('{"inputs":7}')).toBe(422);
    expect(await statusOf(new ReadableStream({ start: (controller) => controller.error(new Error("the client hung up")) }))).toBe(500);
    expect(await statusOf(textOf(100))).toBe(200);
  });

  test("bodies over the size limit are rejected with 413 even when the body budget is used up", async () => {
    const { app, letGo } = waitingApp({ maxBodyBytes: 100, maxBodyBytesInFlight: 100 });
    const first = app.request("/embed", declared(100));
    await vi.waitFor(() => expect(letGo).toHaveLength(1));
    expect(await answerOf(await app.request("/embed", declared(101, untouched())))).toMatchObject({ status: 413, code: "body_too_large" });
    letGo[0]?.();
    await first;
  });
});

describe("the rate limit of an API key", () => {
  const alice = { authorization: "Bearer key-of-alice" };
  const bob = { authorization: "Bearer key-of-bob" };
  const limited = () => appOf({ apiKeys: ["key-of-alice", "key-of-bob"], rateLimit: 2 });

  test("an API key's rate limit covers all routes, rejects before the body is read and is separate for each key", async () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date"] });
    const app = limited();
    expect((await app.request("/embed", post(alice))).status).toBe(200);
    expect((await app.request("/info", { headers: alice })).status).toBe(200);
    const refused = await app.request("/v1/embeddings", post(alice, untouched()));
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    const body = await refused.text();
    expect(JSON.parse(body)).toMatchObject({ error: { type: "rate_limit_error", code: "rate_limited" } });
    expect(body).not.toContain("alice");
    expect((await app.request("/embed", post(bob))).status).toBe(200);
    vi.setSystemTime(1_001);
    expect((await app.request("/embed", post(alice))).status).toBe(200);
  });

  test("the rate limit does not count requests without an API key or to open routes", async () => {
    const app = limited();
    for (let i = 0; i < 5; i++) expect((await app.request("/embed", post())).status).toBe(401);
    for (let i = 0; i < 5; i++) expect((await app.request("/health", { headers: alice })).status).toBe(200);
  });

  test("the rate limit does not apply without API keys", async () => {
    const app = appOf({ rateLimit: 1 });
    for (let i = 0; i < 3; i++) expect((await app.request("/embed", post())).status).toBe(200);
  });
});

test("with API keys, no response header reveals by its times that another client embedded the text", async () => {
  const times = async (app: ReturnType<typeof appOf>) => {
    const { headers } = await app.request("/embed", post({ authorization: "Bearer key-of-alice" }));
    return ["x-queue-time", "x-inference-time"].filter((name) => headers.has(name));
  };
  expect(await times(appOf())).toEqual(["x-queue-time", "x-inference-time"]);
  expect(await times(appOf({ apiKeys: ["key-of-alice"] }))).toEqual([]);
});

describe("internal faults", () => {
  const codes = [
    "inference_failed",
    "load_failed",
    "integrity_failed",
    "self_test_failed",
    "device_unavailable",
    "worker_died",
    "timeout",
    "disposed",
  ];

  test.each(codes as ErrorCode[])("the internal error %s is answered with a fixed message instead of the library's", async (code) => {
    const encoder = createSessionEncoder(new FakeModel().open);
    encoder.embed = async () => {
      throw new EncoderError(code, "failed at /srv/models/private.bin", { index: 3 });
    };
    const app = appOf({}, { encoder });
    for (const [path, body] of [
      ["/embed", '{"inputs":"a"}'],
      ["/v1/embeddings", '{"input":"a"}'],
    ] as const) {
      const text = await (await app.request(path, post({}, body))).text();
      expect(text).not.toContain("/srv");
      expect(text).toContain(code);
      expect(text).not.toContain("Internal error");
    }
  });

  test("/health reports a failed load with a fixed message instead of the library's", async () => {
    const encoder = createSessionEncoder(() => Promise.reject(new Error("ENOENT: /srv/models/private.bin")));
    await encoder.load().catch(() => {});
    const response = await appOf({}, { encoder }).request("/health");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: "failed", error: "The model could not be loaded" });
  });
});
