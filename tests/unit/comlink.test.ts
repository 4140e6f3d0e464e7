import fc from "fast-check";
import { expect, test } from "vitest";
import { expose, proxy } from "../../shared/comlink.ts";
import { EncoderError } from "../../shared/errors.ts";
import { connect } from "./message-channel.ts";

/** What a caller catches when the other end of a message channel throws `thrown`. */
async function caught(thrown: unknown): Promise<unknown> {
  const thrower = {
    fail() {
      throw thrown;
    },
  };
  const remote = connect<{ fail(): Promise<never> }>((endpoint) => expose(thrower, endpoint));
  return remote.fail().then(
    () => expect.fail("nothing was thrown"),
    (error: unknown) => error,
  );
}

test("an EncoderError crosses a message channel as an EncoderError, with its code, message, details and status", async () => {
  const details = { index: 3, limit: 512, found: 600, retryAfter: 2, path: "inputs.3" };
  const error = await caught(new EncoderError("text_too_long", "The text has 600 tokens", details));
  expect(error).toBeInstanceOf(EncoderError);
  expect(error).toMatchObject({ name: "EncoderError", code: "text_too_long", message: "The text has 600 tokens", status: 413, details });
});

test("every error code and any details cross a message channel unchanged", async () => {
  const number = fc.option(fc.nat(), { nil: undefined });
  const details = fc.record({ index: number, limit: number, found: number, retryAfter: number, path: fc.string() });
  const codes = fc.constantFrom("overloaded", "timeout", "disposed", "worker_died", "quarantined_text", "lone_surrogate", "internal");
  await fc.assert(
    fc.asyncProperty(codes, fc.string(), details, async (code, message, found) => {
      const present = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
      const error = await caught(new EncoderError(code, message, present));
      expect(error).toBeInstanceOf(EncoderError);
      expect(error).toMatchObject({ code, message, details: present });
    }),
    { numRuns: 50 },
  );
});

test.each([
  ["an Error", new TypeError("x is not a function"), "x is not a function"],
  ["a string", "out of luck", "out of luck"],
  ["undefined", undefined, "undefined"],
  ["null", null, "null"],
  ["an object that cannot be cloned", { run: () => {} }, "[object Object]"],
])("%s thrown across a message channel becomes an EncoderError with the code internal", async (_, thrown, reason) => {
  const error = await caught(thrown);
  expect(error).toBeInstanceOf(EncoderError);
  expect(error).toMatchObject({ code: "internal", message: expect.stringContaining(reason), details: {} });
});

test("a plain object shaped like an EncoderError becomes one only with a known code", async () => {
  const plain = new EncoderError("overloaded", "The queue is full", { retryAfter: 2 }).toPlain();
  expect(await caught(plain)).toMatchObject({ code: "overloaded", details: { retryAfter: 2 } });
  expect(await caught({ ...plain, code: "constructor" })).toMatchObject({ code: "internal" });
  expect(await caught({ ...plain, details: null })).toMatchObject({ code: "internal", details: {} });
});

test("an EncoderError thrown by a callback crosses a message channel in the other direction", async () => {
  const caller = { call: (callback: () => Promise<void>) => callback() };
  const remote = connect<typeof caller>((endpoint) => expose(caller, endpoint));
  const callback = proxy(async () => {
    throw new EncoderError("timeout", "Too late", { limit: 5 });
  });
  await expect(remote.call(callback)).rejects.toMatchObject({ name: "EncoderError", code: "timeout", details: { limit: 5 } });
});

test("results cross a message channel unchanged", async () => {
  const echo = { echo: async (value: unknown) => value };
  const remote = connect<typeof echo>((endpoint) => expose(echo, endpoint));
  const value = { numbers: Float32Array.of(1, 2), list: ["a", null], nested: { n: 1n } };
  expect(await remote.echo(value)).toEqual(value);
});
