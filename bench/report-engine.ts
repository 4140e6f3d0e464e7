import { type Claim, judge } from "./claim.ts";
import { formatSpread } from "./claims.ts";
import type { EngineMeasurement, EngineResult } from "./engine-results.ts";
import { environmentLine, table } from "./markdown.ts";
import { type Spread, spreadOf } from "./statistics.ts";

type Cell = Pick<EngineMeasurement, "host" | "case">;
type Time = "ms" | "cpuMs";

const measured = ({ measurements }: EngineResult, { host, case: of }: Cell, rival: EngineMeasurement["rival"]) =>
  measurements.filter((each) => each.host === host && each.case === of && each.rival === rival);

/** Time of the engine as a share of ONNX Runtime Web's, in each round. Null where it was not measured. */
function share(result: EngineResult, cell: Cell, time: Time): Spread | null {
  const others = measured(result, cell, "onnxruntime-web");
  const shares = measured(result, cell, "engine").flatMap((own) => {
    const [mine, theirs] = [own[time], others.find(({ round }) => round === own.round)?.[time] ?? null];
    return mine === null || theirs === null ? [] : mine / theirs;
  });
  return shares.length > 0 ? spreadOf(shares) : null;
}

const hosts = { chromium: "Chromium", workerd: "workerd", node: "Node" } as const;
const rivals = { engine: "**engine**", "onnxruntime-web": "ONNX Runtime Web", "onnxruntime-node": "ONNX Runtime, native" } as const;

export function engineSections(result: EngineResult): string[] {
  const { environment, browser, rounds, measurements } = result;
  const cells = [...new Map(measurements.map(({ host, case: of }) => [`${host} ${of}`, { host, case: of }])).values()];
  const spread = (cell: Cell, rival: EngineMeasurement["rival"], time: Time) => {
    const known = measured(result, cell, rival).flatMap((each) => each[time] ?? []);
    return known.length > 0 ? formatSpread(spreadOf(known), 1) : "";
  };
  const shown = (ratio: Spread | null) => (ratio ? formatSpread(ratio, 2) : "");
  const rows = cells.map((cell) => [
    `${hosts[cell.host]}, ${cell.case}`,
    ...(Object.keys(rivals) as (keyof typeof rivals)[]).flatMap((rival) => [spread(cell, rival, "ms"), spread(cell, rival, "cpuMs")]),
    shown(share(result, cell, "ms")),
    shown(share(result, cell, "cpuMs")),
  ]);
  const head = ["", ...Object.values(rivals).flatMap((label) => [`${label}, ms`, "CPU ms"]), "engine : ONNX Runtime Web, ms", "CPU ms"];
  return [
    environmentLine(environment),
    `The same model on one thread, by turns; Chromium ${browser}, rounds: ${rounds}. The first vector is that of a process, worker or isolate that has just started.`,
    table(head, rows),
  ];
}

const limits = [
  { host: "chromium", case: "16 tokens", time: "cpuMs", most: 0.7 },
  { host: "chromium", case: "128 tokens", time: "cpuMs", most: 0.72 },
  { host: "chromium", case: "512 tokens", time: "cpuMs", most: 0.65 },
  { host: "chromium", case: "8 short texts", time: "cpuMs", most: 0.65 },
  { host: "workerd", case: "16 tokens", time: "cpuMs", most: 0.65 },
  { host: "workerd", case: "128 tokens", time: "cpuMs", most: 0.65 },
  { host: "workerd", case: "512 tokens", time: "cpuMs", most: 0.65 },
  { host: "workerd", case: "first vector", time: "ms", most: 0.4 },
  { host: "workerd", case: "first vector", time: "cpuMs", most: 0.25 },
] as const;

export function engineClaims(result: EngineResult): Claim[] {
  return limits.map(({ most, time, ...cell }) =>
    judge(
      `In ${hosts[cell.host]}, the engine takes at most ${most} of ONNX Runtime Web's ${time === "ms" ? "time" : "processor time"}: ${cell.case}`,
      share(result, cell, time),
      (x) => x <= most,
      (ratio) => formatSpread(ratio, 2),
    ),
  );
}
