/** Searches among vectors as the page's search does: in a worker. */
import { expose } from "comlink";
import { decodeVector } from "../../shared/vector.ts";
import type { PackedScan } from "../bench-page.ts";
import { measureScans } from "../index-scans.ts";

const worker = {
  measure: ({ real, queries, ...options }: PackedScan) =>
    measureScans({ ...options, real: real.map(decodeVector), queries: queries.map(decodeVector) }),
};

export type IndexWorker = typeof worker;

expose(worker);
