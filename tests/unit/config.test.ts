import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { withConfigurationTable } from "../../api/build/configuration-table.ts";
import { environmentSchema, readEncoderSettings, readSettings } from "../../api/node/settings.ts";
import { defaultConfig } from "../../api/service.ts";

describe("the settings", () => {
  test("settings have defaults, including those of the app, and an empty value counts as unset", () => {
    const settings = readSettings({ PORT: "", API_KEYS: "", HOME: "/root" });
    expect(settings).toMatchObject({ host: "127.0.0.1", port: 3000, config: defaultConfig });
    expect(settings).not.toHaveProperty("workers");
    expect(settings).not.toHaveProperty("model");
    expect(settings).not.toHaveProperty("device");
  });

  test("settings are read from the environment", () => {
    expect(
      readSettings({
        PORT: "8080",
        WORKERS: "3",
        DEVICE: "wasm",
        MODEL: "org/name@v1",
        HF_ENDPOINT: "http://hub.test",
        API_KEYS: "first-key, second-key,",
        CORS_ORIGINS: "https://a.test,http://localhost:8080",
        MODEL_ALIASES: "text-embedding-3-small",
        MAX_TEXTS: "7",
        CACHE_BYTES: "0",
        SHUTDOWN_TIMEOUT: "1.5",
      }),
    ).toMatchObject({
      port: 8080,
      workers: 3,
      device: "wasm",
      model: { hub: "org/name@v1", endpoint: "http://hub.test", maxBytes: 2_000_000_000 },
      config: {
        apiKeys: ["first-key", "second-key"],
        corsOrigins: ["https://a.test", "http://localhost:8080"],
        modelAliases: ["text-embedding-3-small"],
        maxTexts: 7,
      },
      cacheBytes: 0,
      shutdownTimeout: 1500,
    });
  });

  test.each([
    ["PORT", "eighty"],
    ["PORT", "65536"],
    ["WORKERS", "0"],
    ["WORKERS", "1.5"],
    ["MODEL", "no-slash"],
    ["DEVICE", "webgpu"],
    ["HF_ENDPOINT", "hub"],
    ["API_KEYS", "short"],
    ["API_KEYS", "good-key-1,with space"],
    ["API_KEYS", ","],
    ["CORS_ORIGINS", "example.com"],
    ["CORS_ORIGINS", "https://example.com/"],
    ["MAX_TEXTS", "-1"],
    ["CACHE_BYTES", "64MB"],
    ["REQUEST_TIMEOUT", "0"],
    ["LOG_LEVEL", "loud"],
  ])("the invalid setting %s=%s is rejected by name, without its value", (name, value) => {
    const refused = () => readSettings({ [name]: value });
    expect(refused).toThrow(`${name}: `);
    expect(refused).not.toThrow(`: ${value}`);
  });

  test("all invalid settings are named at once", () => {
    expect(() => readSettings({ PORT: "eighty", WORKERS: "0", LOG_LEVEL: "loud" })).toThrow(/PORT[\s\S]*WORKERS[\s\S]*LOG_LEVEL/);
  });

  test("the encoder's settings are read without the server's", () => {
    expect(readEncoderSettings({ PORT: "eighty", WORKERS: "2", DEVICE: "native" })).toEqual({ workers: 2, device: "native" });
    expect(() => readEncoderSettings({ WORKERS: "two" })).toThrow("WORKERS");
  });

  test("all settings have descriptions, and docs/configuration.md contains the generated table", async () => {
    for (const [name, schema] of Object.entries(environmentSchema.shape)) {
      expect(schema.meta()?.description, name).toMatch(/\.$/);
      expect(schema.meta()?.unset ?? String(schema.parse(undefined)), name).toMatch(/\w/);
    }
    const page = await readFile(new URL("../../docs/configuration.md", import.meta.url), "utf8");
    expect(page, "run node dist/api/build/configuration-table.js docs/configuration.md").toBe(withConfigurationTable(page));
    expect(page).toContain("| `PORT` | `3000` |");
  });
});
