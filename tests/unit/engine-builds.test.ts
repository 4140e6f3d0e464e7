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
  ["that are not WebAssembly", { plain: notWasm, checked: notWasm, relaxed: notWasm }],
  ["that are truncated", { plain: plain.slice(0, -1), checked: checked.slice(0, 100) }],
  ["that are empty", { plain: new Uint8Array() }],
  ["that are missing", {}],
])("the device is unavailable when all builds are modules %s", async (_, modules) => {
  await expect(compileBuilds(modules)).rejects.toEqual(unavailable);
});

test("a build that the host does not validate is skipped", async () => {
  const compiled = await compileBuilds({ plain, relaxed: notWasm });
  expect(compiled.map(({ build }) => build)).toEqual(["plain"]);
});

test("a build may be given as a compiled module instead of bytes", async () => {
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

test("every valid build is returned once, whichever is fastest", async () => {
  const valid = (["plain", "checked", "relaxed"] as const).filter((build) => WebAssembly.validate(buildBytes[build]));
  for (let round = 0; round < 3; round++) {
    const compiled = await compileBuilds(buildBytes);
    expect(compiled.map(({ build }) => build).toSorted()).toEqual(valid.toSorted());
  }
});

test("builds keep their order when the clock does not advance", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  expect((await compileBuilds({ plain, checked })).map(({ build }) => build)).toEqual(["plain", "checked"]);
  expect((await compileBuilds({ checked, plain })).map(({ build }) => build)).toEqual(["checked", "plain"]);
});

test("a build whose bits differ from the first build's is left out", async () => {
  const compiled = await compileBuilds({ plain, checked: otherBits });
  expect(compiled.map(({ build }) => build)).toEqual(["plain"]);
  // It would have given vectors, and wrong ones.
  const engine = await loadEngine(await WebAssembly.compile(otherBits), "checked", tinyModel(), filesOf());
  const [vector] = engine.run([tinyRows[3]?.ids ?? []]);
  expect(bitsOf(vector ?? new Float32Array())).not.toEqual(bitsOf(tinyRows[3]?.cls ?? new Float32Array()));
});

test("each engine is a separate instance of its compiled build", async () => {
  const [a, b] = [await loadTiny("plain", tinyModel("cls")), await loadTiny("plain", tinyModel("mean"))];
  for (const { ids, cls, mean } of tinyRows) {
    expect(a.run([ids])[0]).toEqual(cls);
    expect(b.run([ids])[0]).toEqual(mean);
  }
});

describe("the probe of builds", () => {
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

  test("the probe puts the fastest build first and keeps the order of similarly fast builds", async () => {
    expect(await orderOf({ plain: { time: 30 }, checked: { time: 20 }, relaxed: { time: 10 } })).toEqual(["relaxed", "checked", "plain"]);
    expect(await orderOf({ plain: { time: 20 }, checked: { time: 30 }, relaxed: { time: 10 } })).toEqual(["relaxed", "plain", "checked"]);
    expect(await orderOf({ plain: { time: 100 }, checked: { time: 91 }, relaxed: { time: 89 } })).toEqual(["relaxed", "plain", "checked"]);
  });

  test("the probe leaves out the fastest build when its bits differ", async () => {
    expect(await orderOf({ plain: { time: 30 }, checked: { time: 30 }, relaxed: { time: 1, hashes: [8] } })).toEqual(["plain", "checked"]);
  });

  test("the probe leaves out a build whose bits differed before its code was optimized", async () => {
    expect(await orderOf({ plain: { time: 3 }, relaxed: { time: 1, hashes: [8, 7] } })).toEqual(["plain"]);
    expect(await orderOf({ plain: { time: 3, hashes: [8, 7] }, checked: { time: 3 } })).toEqual(["checked"]);
  });

  test("the probe reports the device unavailable when no build computes the same bits each time", async () => {
    const { compiled } = await compileFakes({ plain: { time: 1, hashes: [8, 7] }, checked: { time: 1, hashes: [9, 7] } });
    await expect(compiled).rejects.toEqual(unavailable);
  });

  test("the probe runs two products of a slow build and at most 60 of a fast one", async () => {
    const { compiled, probes } = await compileFakes({ plain: { time: 50 }, checked: { time: 0 } });
    await compiled;
    expect(probes).toEqual({ plain: 2, checked: 60 });
  });

  test("the probe skips a single build", async () => {
    const { compiled, probes } = await compileFakes({ checked: { time: 50 } });
    expect(await compiled).toHaveLength(1);
    expect(probes).toEqual({});
  });
});
