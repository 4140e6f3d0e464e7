/** The process of one search: builds it, and answers with what that took and what it takes. */
import { type IndexSizeOptions, measureIndexSize } from "./index-size.ts";

export type IndexSizeJob = IndexSizeOptions;

process.once("disconnect", () => process.exit());
process.once("message", async (job: IndexSizeJob) => {
  const answer = await measureIndexSize(job);
  process.send?.(answer);
});
