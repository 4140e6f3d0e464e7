import type { Benchmark } from "./benchmark.ts";
import { browser } from "./browser.ts";
import { edge } from "./edge.ts";
import { encode } from "./encode.ts";
import { engine } from "./engine.ts";
import { ratios } from "./ratios.ts";
import { search } from "./search.ts";
import { searchPage } from "./search-page.ts";
import { service } from "./service.ts";
import { start } from "./start.ts";

/** All benchmarks, in the order of runs and report. */
export const benchmarks: readonly Benchmark[] = [encode, service, browser, edge, engine, start, search, searchPage, ratios];

/** Benchmarks that run by default. */
export const usual: readonly string[] = [encode, service, browser, edge, engine, start].map(({ name }) => name);
