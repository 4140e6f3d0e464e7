import { afterEach, describe, expect, test, vi } from "vitest";
import { compileBuilds, type EngineBuild, type EngineExports } from "../../shared/engine/builds.ts";
import { loadEngine } from "../../shared/engine/engine.ts";
import { bitsOf, buildBytes, filesOf, loadTiny, tinyModel, tinyRows, withConstant } from "./tiny-model.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const notWasm = new TextEncoder().encode("<!doctype html>");
const { plain, checked } = buildBytes;

/** The largest quantized activation is one less. */
const otherBits = withConstant(plain, 8191, 8190);

const unavailable = expect.objectContaining({ name: "EncoderError", code: "device_unavailable" });

test.each([
  ["that are no WebAssembly", { plain: notWasm, checked: notWasm, relaxed: notWasm }],
  ["that are cut off", { plain: plain.slice(0, -1), checked: checked.slice(0, 100) }],
  ["that are empty", { plain: new Uint8Array() }],
  ["that are not there", {}],
])("where all builds are modules %s, the device is unavailable", async (_, modules) => {
  await expect(compileBuilds(modules)).rejects.toEqual(unavailable);
});

test("a build that the host does not validate is passed over", async () => {
  const compiled = await compileBuilds({ plain, relaxed: notWasm });
  expect(compiled.map(({ build }) => build)).toEqual(["plain"]);
});

test("a compiled module is as good as its bytes", async () => {
  const module = await WebAssembly.compile(checked);
  expect(await compileBuilds({ checked: module })).toEqual([{ build: "checked", module }]);
  const both = await compileBuilds({ plain, checked: module });
  expect(both.map(({ build }) => build).toSorted()).toEqual(["checked", "plain"]);
  for (const { build, module } of both) {
    const engine = await loadEngine(module, build, tinyModel(), filesOf());
    expect(engine.build).toBe(build);
    expect(engine.run([[1], [2]])).toHaveLength(2);
  }
});

test("every build is given once, whichever is fastest", async () => {
  const valid = (["plain", "checked", "relaxed"] as const).filter((build) => WebAssembly.validate(buildBytes[build]));
  for (let round = 0; round < 3; round++) {
    const compiled = await compileBuilds(buildBytes);
    expect(compiled.map(({ build }) => build).toSorted()).toEqual(valid.toSorted());
  }
});

test("where the clock stands still, builds keep their order", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  expect((await compileBuilds({ plain, checked })).map(({ build }) => build)).toEqual(["plain", "checked"]);
  expect((await compileBuilds({ checked, plain })).map(({ build }) => build)).toEqual(["checked", "plain"]);
});

test("a build that computes other bits than the first is left out", async () => {
  const compiled = await compileBuilds({ plain, checked: otherBits });
  expect(compiled.map(({ build }) => build)).toEqual(["plain"]);
  // It would have given vectors, and wrong ones.
  const engine = await loadEngine(await WebAssembly.compile(otherBits), "checked", tinyModel(), filesOf());
  const [vector] = engine.run([tinyRows[3]?.ids ?? []]);
  expect(bitsOf(vector ?? new Float32Array())).not.toEqual(bitsOf(tinyRows[3]?.cls ?? new Float32Array()));
});

test("a compiled build is an instance of its own each time: two engines do not disturb each other", async () => {
  const [a, b] = [await loadTiny("plain", tinyModel("cls")), await loadTiny("plain", tinyModel("mean"))];
  for (const { ids, cls, mean } of tinyRows) {
    expect(a.run([ids])[0]).toEqual(cls);
    expect(b.run([ids])[0]).toEqual(mean);
  }
});

describe("the probe", () => {
  interface FakeBuild {
    /** ms of a product. */
    readonly time: number;
    /** Of each product after the other; the last one goes on. */
    readonly hashes?: readonly number[];
  }

  /** Compiles builds that compute nothing, on a clock that they alone move. Tells how often each was asked. */
  async function compileFakes(fakes: { readonly [build in EngineBuild]?: FakeBuild }) {
    vi.useFakeTimers({ toFake: ["performance"] });
    const probes: Record<string, number> = {};
    const fakeOf = new Map<WebAssembly.Module, EngineBuild>();
    const modules: Partial<Record<EngineBuild, WebAssembly.Module>> = {};
    for (const build of Object.keys(fakes) as EngineBuild[]) {
      const empty = await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
      modules[build] = empty;
      fakeOf.set(empty, build);
    }
    vi.spyOn(WebAssembly, "instantiate").mockImplementation(async (module) => {
      const build = fakeOf.get(module) ?? expect.fail("no fake build");
      const { time, hashes = [7] } = fakes[build] ?? expect.fail("no fake build");
      const exports: Pick<EngineExports, "reserve" | "prepareProbe" | "probe"> = {
        reserve: () => 1,
        prepareProbe: () => {},
        probe: () => {
          vi.advanceTimersByTime(time);
          probes[build] = (probes[build] ?? 0) + 1;
          return hashes[Math.min(probes[build], hashes.length) - 1] ?? 0;
        },
      };
      return { exports };
    });
    return { compiled: compileBuilds(modules), probes };
  }

  const orderOf = async (fakes: Parameters<typeof compileFakes>[0]) => {
    const { compiled } = await compileFakes(fakes);
    return (await compiled).map(({ build }) => build);
  };

  test("puts the fastest build first, and among those that are about as fast the earlier one", async () => {
    expect(await orderOf({ plain: { time: 30 }, checked: { time: 20 }, relaxed: { time: 10 } })).toEqual(["relaxed", "checked", "plain"]);
    expect(await orderOf({ plain: { time: 20 }, checked: { time: 30 }, relaxed: { time: 10 } })).toEqual(["relaxed", "plain", "checked"]);
    expect(await orderOf({ plain: { time: 100 }, checked: { time: 91 }, relaxed: { time: 89 } })).toEqual(["relaxed", "plain", "checked"]);
  });

  test("leaves out the fastest build where it computes other bits", async () => {
    expect(await orderOf({ plain: { time: 30 }, checked: { time: 30 }, relaxed: { time: 1, hashes: [8] } })).toEqual(["plain", "checked"]);
  });

  test("leaves out a build that computed other bits before its code was optimized", async () => {
    expect(await orderOf({ plain: { time: 3 }, relaxed: { time: 1, hashes: [8, 7] } })).toEqual(["plain"]);
    expect(await orderOf({ plain: { time: 3, hashes: [8, 7] }, checked: { time: 3 } })).toEqual(["checked"]);
  });

  test("finds the device unavailable where no build computes the same bits each time", async () => {
    const { compiled } = await compileFakes({ plain: { time: 1, hashes: [8, 7] }, checked: { time: 1, hashes: [9, 7] } });
    await expect(compiled).rejects.toEqual(unavailable);
  });

  test("takes little time: of a slow build two products, of a fast one no more than 60", async () => {
    const { compiled, probes } = await compileFakes({ plain: { time: 50 }, checked: { time: 0 } });
    await compiled;
    expect(probes).toEqual({ plain: 2, checked: 60 });
  });

  test("is not made of a single build", async () => {
    const { compiled, probes } = await compileFakes({ checked: { time: 50 } });
    expect(await compiled).toHaveLength(1);
    expect(probes).toEqual({});
  });
});
