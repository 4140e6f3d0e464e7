/** The process of one contender: loads it for the first job, embeds what it is sent, and answers with what that took. */
import { contenderOf } from "./contenders/all.ts";
import { type Embed, type PeerModel, Unavailable } from "./contenders/contender.ts";
import { machineCpuSeconds } from "./cpu-time.ts";
import { watchEventLoop } from "./loop-delay.ts";
import { peakMemory } from "./peak-memory.ts";
import type { LoopDelay } from "./results.ts";

export interface EncodeJob {
  readonly contender: string;
  readonly peer: PeerModel;
  /** Embedded before anything is measured. */
  readonly warmUp: readonly string[];
  readonly texts: readonly string[];
}

export type EncodeAnswer =
  | { readonly outcome: "unavailable"; readonly reason: string }
  | {
      readonly outcome: "measured";
      readonly vectors: readonly Float32Array[];
      readonly seconds: number;
      readonly cpuSeconds: number;
      readonly coresElsewhere: number;
      readonly peakBytes: number;
      /** Null for what embeds in a call that nothing else is asked of meanwhile. */
      readonly loopDelay: LoopDelay | null;
    };

// Worker threads would keep it alive when whoever asked is gone.
process.once("disconnect", () => process.exit());
process.on("message", async (job: EncodeJob) => {
  const answer = await measure(job);
  process.send?.(answer);
});

let opened: Promise<Embed> | undefined;

async function open({ contender, peer, warmUp }: EncodeJob): Promise<Embed> {
  const embed = await contenderOf(contender).open(peer);
  await embed(warmUp);
  return embed;
}

async function measure(job: EncodeJob): Promise<EncodeAnswer> {
  try {
    opened ??= open(job);
    const embed = await opened;

    const stopWatching = watchEventLoop();
    const machineBefore = machineCpuSeconds();
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    const vectors = await embed(job.texts);
    const seconds = (performance.now() - start) / 1e3;
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpuSeconds = (user + system) / 1e6;
    const coresElsewhere = Math.max(0, (machineCpuSeconds() - machineBefore - cpuSeconds) / seconds);
    const loopDelay = await stopWatching();
    const peakBytes = peakMemory();
    return { outcome: "measured", vectors, seconds, cpuSeconds, coresElsewhere, peakBytes, loopDelay };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.error(error.cause);
    return { outcome: "unavailable", reason: error.message };
  }
}
