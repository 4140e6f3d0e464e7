import * as buffer from "hono/utils/buffer";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../api/app.ts";
import type { AnsweredRequest, Observer } from "../../api/observer.ts";
import { type AppConfig, defaultConfig, type Service } from "../../api/service.ts";
import { createSessionEncoder } from "../../shared/encoder/session-encoder.ts";
import { EncoderError } from "../../shared/errors.ts";
import { FakeModel } from "./fake-model.ts";

vi.mock("hono/utils/buffer", { spy: true });
afterEach(() => vi.clearAllMocks());

const keys = ["key-of-alice", "key-of-bob"];

const appOf = (config: Partial<AppConfig> = {}, service: Partial<Service> = {}) =>
  createApp({ encoder: createSessionEncoder(new FakeModel().open), config: { ...defaultConfig, ...config }, ...service });

const post = (body: string | ReadableStream = '{"inputs":"a"}', headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
  ...(typeof body !== "string" && { duplex: "half" }),
});
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

describe("API keys", () => {
  const app = appOf({ apiKeys: keys }, { metrics: (c) => c.text("metrics") });
  app.get("*", (c) => c.text("the page"));

  test.each(["Bearer key-of-alice", "Bearer key-of-bob", "bearer key-of-bob", "BEARER  key-of-bob "])(
    "a valid API key is accepted: %s",
    async (authorization) => {
      expect((await app.request("/embed", post(undefined, { authorization }))).status).toBe(200);
    },
  );

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Bearer key-of-carol",
    "Bearer key-of-alic",
    "Bearer key-of-alice2",
    "Bearer KEY-OF-ALICE",
    "Bearer key-of-alice key-of-bob",
    "Bearer key-of-alice,key-of-bob",
    "Basic key-of-alice",
    "key-of-alice",
  ])("an invalid API key is rejected: %j", async (authorization) => {
    const response = await app.request("/embed", post(undefined, { authorization }));
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ code: "invalid_api_key", error_type: "Validation" });
    expect(body).not.toMatch(/alice|bob|carol/i);
  });

  test("a rejected API key is answered in OpenAI's error format on OpenAI routes", async () => {
    const response = await app.request("/v1/embeddings", post('{"input":"a"}', bearer("key-of-carol")));
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", code: "invalid_api_key" } });
  });

  test.each([
    ["POST", "/"],
    ["POST", "/embed"],
    ["POST", "/similarity"],
    ["POST", "/tokenize"],
    ["GET", "/info"],
    ["POST", "/v1/embeddings"],
    ["GET", "/v1/models"],
    ["GET", "/v1/models/fake"],
    ["DELETE", "/embed"],
    ["HEAD", "/info"],
  ])("an API key is required for %s %s", async (method, path) => {
    expect((await app.request(path, { method })).status).toBe(401);
  });

  test.each([
    "/embed/",
    "//embed",
    "/%65mbed",
    "/EMBED",
    "/./embed",
    "/x/../embed",
    "/embed?x=/health",
    "/v1//embeddings",
    "/%761/embeddings",
  ])("an API key cannot be bypassed by a rewritten path: POST %s", async (path) => {
    expect([401, 404]).toContain((await app.request(path, post('{"inputs":"a","input":"a"}'))).status);
  });

  test("an API key is required exactly for the operations described as secured in /openapi.json", async () => {
    const { paths } = (await (await app.request("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(operations)) {
        const { status } = await app.request(path.replace("{model}", "fake"), { method: method.toUpperCase() });
        expect(status === 401, `${method} ${path}`).toBe(security?.length !== 0);
      }
    }
  });

  test.each(["/", "/index.html", "/assets/index.js", "/docs", "/health", "/metrics", "/openapi.json"])(
    "no API key is required for GET %s",
    async (path) => {
      expect((await app.request(path)).status).toBe(200);
    },
  );

  test("an API key is checked before the body is read", async () => {
    const untouched = new ReadableStream(
      {
        pull() {
          throw new Error("the body was read");
        },
      },
      { highWaterMark: 0 },
    );
    expect((await app.request("/embed", post(untouched))).status).toBe(401);
  });

  test("every API key is compared in constant time, even after a match", async () => {
    await app.request("/embed", post(undefined, bearer("key-of-alice")));
    const compared = vi.mocked(buffer.timingSafeEqual).mock.calls;
    expect(compared).toEqual(keys.map((key) => [key, "key-of-alice"]));
  });
});

describe("CORS", () => {
  const preflight = (app: ReturnType<typeof appOf>, origin: string, path = "/v1/embeddings") =>
    app.request(path, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
      },
    });

  test("a preflight from an allowed origin needs no API key and allows Authorization", async () => {
    const app = appOf({ apiKeys: keys, corsOrigins: ["https://a.test", "https://b.test"] });
    for (const path of ["/v1/embeddings", "/embed"]) {
      const { status, headers } = await preflight(app, "https://b.test", path);
      expect(status).toBe(204);
      expect(headers.get("access-control-allow-origin")).toBe("https://b.test");
      expect(headers.get("access-control-allow-methods")).toContain("POST");
      expect(headers.get("access-control-allow-headers")).toBe("authorization,content-type,x-stainless-lang");
      expect(headers.get("access-control-allow-credentials")).toBe(null);
      expect(headers.get("vary")).toMatch(/origin/i);
    }
  });

  test("an allowed origin may read responses, their headers and errors", async () => {
    const app = appOf({ apiKeys: keys, corsOrigins: ["https://a.test"] });
    const answers = await Promise.all(
      [bearer("key-of-alice"), {}].map((headers) => app.request("/embed", post(undefined, { ...headers, origin: "https://a.test" }))),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 401]);
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe("https://a.test");
      const exposed = headers.get("access-control-expose-headers")?.split(",");
      // The service's own; the others say nothing of an answer.
      const own = Array.from(headers.keys()).filter(
        (name) => name.startsWith("x-") && !/frame|content-type|dns|download|permitted|xss/.test(name),
      );
      expect(exposed).toEqual(expect.arrayContaining([...own, "retry-after"]));
    }
  });

  test("other origins get no CORS headers, and no origin is allowed by default", async () => {
    for (const app of [appOf(), appOf({ corsOrigins: ["https://a.test"] })]) {
      for (const origin of ["https://c.test", "http://a.test", "https://a.test.c.test", "null"]) {
        expect((await preflight(app, origin)).headers.get("access-control-allow-origin")).toBe(null);
        const response = await app.request("/embed", post(undefined, { origin }));
        expect(response.headers.get("access-control-allow-origin")).toBe(null);
      }
    }
  });

  test("CORS_ORIGINS=* allows every origin", async () => {
    const app = appOf({ corsOrigins: ["*"] });
    expect((await preflight(app, "https://anywhere.test")).headers.get("access-control-allow-origin")).toBe("*");
  });
});

describe("request limits", () => {
  const app = appOf({ maxBodyBytes: 200, maxTexts: 3, maxTextCharacters: 20 });

  test.each([
    ["a body", { inputs: "a".repeat(200) }, "body_too_large", { limit: 200 }],
    ["a list", { inputs: ["a", "b", "c", "d"] }, "too_many_texts", { limit: 3, found: 4 }],
    ["a text", { inputs: ["a", "b".repeat(21)] }, "text_too_long", { limit: 20, found: 21, index: 1 }],
  ])("%s over its limit is rejected with 413", async (_, body, code, details) => {
    const response = await app.request("/embed", post(JSON.stringify(body)));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code, details });
  });

  test("a body without a declared length is rejected once it exceeds the limit, and not read to its end", async () => {
    let sent = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sent += 50;
        controller.enqueue(new TextEncoder().encode("a".repeat(50)));
      },
    });
    expect((await app.request("/embed", post(endless))).status).toBe(413);
    expect(sent).toBeLessThan(1000);
  });
});

test("every response has headers against sniffing and framing", async () => {
  const app = appOf({ apiKeys: keys });
  for (const path of ["/health", "/info", "/nowhere"]) {
    const { headers } = await app.request(path);
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("content-security-policy"), path).toContain("frame-ancestors 'self'");
    expect(headers.get("referrer-policy"), path).toBe("no-referrer");
    expect(headers.get("strict-transport-security"), path).toBe(null);
  }
});

describe("observed requests", () => {
  class Recorder implements Observer {
    readonly requests: AnsweredRequest[] = [];
    readonly faults: [{ id: string; route: string }, unknown][] = [];
    onRequest(request: AnsweredRequest) {
      this.requests.push(request);
    }
    onFault(request: { id: string; route: string }, error: unknown) {
      this.faults.push([request, error]);
    }
  }

  test("an observer gets each request's route pattern, status and work, and none of its content", async () => {
    const observer = new Recorder();
    const app = appOf({}, { observer });
    await app.request("/embed?private=1", post('{"inputs":["ab","abc"]}'));
    await app.request("/v1/models/private");
    await app.request("/private/path");
    await app.request("/embed", post('{"inputs":"private'));
    await app.request("/embed", { method: "DELETE" });
    expect(observer.requests).toMatchObject([
      { method: "POST", route: "/embed", status: 200, work: { texts: 2, tokens: 9 } },
      { method: "GET", route: expect.stringMatching(/^\/v1\/models\/:model/), status: 404, code: "model_not_found" },
      { method: "GET", route: "*", status: 404 },
      { method: "POST", route: "/embed", status: 400, code: "invalid_json" },
      { method: "DELETE", route: "/embed", status: 405, code: "method_not_allowed" },
    ]);
    expect(observer.requests.every(({ ms }) => ms > 0)).toBe(true);
    expect(JSON.stringify(observer.requests)).not.toContain("private");
    expect(observer.faults).toEqual([]);
  });

  test("an observer gets the request id of the response, which is the caller's when well-formed", async () => {
    const observer = new Recorder();
    const app = appOf({}, { observer });
    const ids = ["trace-7_=", "a private text", "é", "a".repeat(129), ""];
    const answered: (string | null)[] = [];
    for (const id of ids) answered.push((await app.request("/health", { headers: { "x-request-id": id } })).headers.get("x-request-id"));
    expect(answered[0]).toBe("trace-7_=");
    for (const id of answered.slice(1)) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(answered).size).toBe(ids.length);
    expect(observer.requests.map(({ id }) => id)).toEqual(answered);
    const failed = await app.request("/embed", { ...post("{"), headers: { "x-request-id": "of-a-failure" } });
    expect(failed.headers.get("x-request-id")).toBe("of-a-failure");
  });

  test("an observer gets the error of an internal fault, and the response does not reveal it", async () => {
    const observer = new Recorder();
    const fault = new TypeError("private");
    const encoder = createSessionEncoder(new FakeModel().open);
    encoder.embed = async () => {
      throw fault;
    };
    const response = await appOf({}, { encoder, observer }).request("/embed", post());
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("private");
    expect(observer.faults).toEqual([[expect.objectContaining({ id: response.headers.get("x-request-id"), route: "/embed" }), fault]]);
  });

  test("an observer gets a disconnected client as status 499, not as a fault", async () => {
    const observer = new Recorder();
    const hangUp = new AbortController();
    const encoder = createSessionEncoder(new FakeModel().open);
    encoder.embed = async () => {
      hangUp.abort();
      throw hangUp.signal.reason;
    };
    await appOf({}, { encoder, observer }).request("/embed", { ...post(), signal: hangUp.signal });
    expect(observer.requests).toMatchObject([{ route: "/embed", status: 499 }]);
    expect(observer.faults).toEqual([]);
  });

  test("an observer gets the error code of a rejected request, and the response has retry-after", async () => {
    const observer = new Recorder();
    const encoder = createSessionEncoder(new FakeModel().open);
    encoder.embed = async () => {
      throw new EncoderError("overloaded", "The queue is full", { retryAfter: 3 });
    };
    const response = await appOf({}, { encoder, observer }).request("/embed", post());
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("3");
    expect(observer.requests).toMatchObject([{ status: 429, code: "overloaded" }]);
  });
});
