/** An index file in a worker, as the page and a static site search it. */
import { expose } from "comlink";
import scanUrl from "../../dist/engine/scan.wasm?url";
import type { SearchMode } from "../../shared/index/fusion.ts";
import { parseQuery } from "../../shared/index/query.ts";
import { compileScan } from "../../shared/index/scan.ts";
import { SearchIndex } from "../../shared/index/search-index.ts";
import { openIndexFile } from "../../shared/search/open-index-file.ts";
import type { BenchPage, PageSearchTimes } from "../page-protocol.ts";

const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const worker: Pick<BenchPage, "search"> = {
  async search(file, { queries, warmUp, rounds }): Promise<PageSearchTimes> {
    const scan = await compileScan(await read(scanUrl));
    const bytes = await read(file);
    const opening = performance.now();
    const index = new SearchIndex({ ...(scan && { scan }) });
    for (const segment of (await openIndexFile(bytes)).segments) await index.add(segment);
    const open = performance.now() - opening;
    const timesOf = (mode: SearchMode) => {
      const timeOf = ({ text, vector }: (typeof queries)[number]) => {
        const embedded = Float32Array.from(vector);
        const start = performance.now();
        index.search(parseQuery(text), mode === "keyword" ? null : embedded, { mode, limit: 10 });
        return performance.now() - start;
      };
      warmUp.map(timeOf);
      return Array.from({ length: rounds }, () => queries.map(timeOf)).flat();
    };
    return { open, keyword: timesOf("keyword"), semantic: timesOf("semantic"), hybrid: timesOf("hybrid") };
  },
};

export type IndexWorker = typeof worker;

expose(worker);
