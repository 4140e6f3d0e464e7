import fc from "fast-check";
import { expect, test } from "vitest";
import { PendingTexts } from "../../api/pending-texts.ts";

const short = (count: number) => Array<string>(count).fill("a question");
/** A request of one text that is too long to be interactive. */
const longText = ["x".repeat(2_000)];

test("PendingTexts admits or rejects a request as a whole, with a retryAfter of one second", () => {
  const pending = new PendingTexts(100);
  pending.add(short(50));
  expect(() => pending.add(short(41))).toThrow(
    expect.objectContaining({ code: "overloaded", status: 429, details: { retryAfter: 1, limit: 90, found: 50 } }),
  );
  pending.add(short(40));
  expect(() => pending.add(longText)).toThrow(expect.objectContaining({ code: "overloaded" }));
});

test("PendingTexts reserves the last tenth of its limit for interactive requests", () => {
  const pending = new PendingTexts(100);
  pending.add(short(90));
  for (let i = 0; i < 10; i++) pending.add(short(1));
  expect(() => pending.add(short(1))).toThrow(expect.objectContaining({ details: { retryAfter: 1, limit: 100, found: 100 } }));
});

test("PendingTexts admits a request of any size when no other is pending", () => {
  const pending = new PendingTexts(1);
  const release = pending.add(short(1_000));
  expect(() => pending.add(short(1))).toThrow(expect.objectContaining({ code: "overloaded" }));
  release();
  pending.add(short(1_000));
});

test("PendingTexts admits a request without texts while texts are pending", () => {
  const pending = new PendingTexts(10);
  pending.add(short(5));
  const release = pending.add([]);
  release();
  expect(() => pending.add(short(5))).toThrow(expect.objectContaining({ details: { retryAfter: 1, limit: 9, found: 5 } }));
});

test("the error of a rejected request contains numbers and never its texts", () => {
  const pending = new PendingTexts(1);
  pending.add(short(1));
  expect(() => pending.add(["a secret"])).toThrow(expect.objectContaining({ message: expect.not.stringContaining("secret") }));
});

test("after any additions and repeated removals, PendingTexts counts correctly and keeps its limit", () => {
  const step = fc.record({ count: fc.integer({ min: 0, max: 8 }), released: fc.array(fc.nat(20), { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.array(step, { maxLength: 30 }), (max, steps) => {
      const pending = new PendingTexts(max);
      const requests: { count: number; release: () => void }[] = [];
      const total = () => requests.reduce((sum, { count }) => sum + count, 0);
      const add = (count: number) => {
        const before = total();
        const limit = count <= 4 ? max : Math.floor(max * 0.9);
        const request = { count, release: () => {} };
        const admit = () => {
          request.release = pending.add(short(count));
          requests.push(request);
        };
        if (before === 0 || before + count <= limit) admit();
        else expect(admit).toThrow(expect.objectContaining({ details: { retryAfter: 1, limit, found: before } }));
      };
      for (const { count, released } of steps) {
        add(count);
        for (const place of released) {
          const request = requests[place];
          request?.release();
          if (request) request.count = 0;
        }
      }
      for (const request of requests) {
        request.release();
        request.count = 0;
      }
      add(max + 100);
      expect(total()).toBe(max + 100);
    }),
  );
});
