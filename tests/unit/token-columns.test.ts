import fc from "fast-check";
import { expect, test } from "vitest";
import { packTokens, unpackTokens } from "../../shared/encoder/token-columns.ts";

test("tokens are the same after packing and unpacking", () => {
  const position = fc.option(fc.nat(1_000_000));
  const token = fc.record({
    id: fc.nat(300_000),
    text: fc.string({ unit: "grapheme" }),
    special: fc.boolean(),
    start: position,
    stop: position,
  });
  fc.assert(
    fc.property(fc.array(token), (tokens) => {
      expect(unpackTokens(packTokens(tokens))).toEqual(tokens);
    }),
  );
});
