import { afterEach } from "vitest";
import { EncoderPool, type PoolOptions } from "../../shared/encoder/pool.ts";
import type { FakeModel } from "./fake-model.ts";

type FakePool = EncoderPool<null>;

const pools: FakePool[] = [];

/** A pool of two over a fake model, disposed of after the test. */
export function createPool(fake: FakeModel, options: Partial<PoolOptions<null>> = {}): FakePool {
  const pool = new EncoderPool({ spawn: fake.spawn, size: 2, prepare: async () => null, ...options });
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.dispose()));
});
