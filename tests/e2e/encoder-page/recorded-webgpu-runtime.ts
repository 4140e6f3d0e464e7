import { InferenceSession as RealSession, env as realEnv, Tensor } from "onnxruntime-web/webgpu";
import { recorded, recordShaders } from "./recording.ts";
import { destroyChannel, type Scenario, scenarioChannel } from "./runtime-record.ts";

export { Tensor };

type Feeds = Parameters<RealSession["run"]>[0];
type Results = Awaited<ReturnType<RealSession["run"]>>;

const never = new Promise<never>(() => {});

/** Looks like a graphics device, and is lost when the test says so. */
class SimulatedDevice extends EventTarget {
  lose: (info: { reason: string; message: string }) => void = () => {};
  readonly lost = new Promise((resolve) => {
    this.lose = resolve;
  });
  destroy(): void {
    this.lose({ reason: "destroyed", message: "Device was destroyed." });
  }
}

const simulatedDevice = new SimulatedDevice();
const scenario = new Promise<Scenario>((resolve) => {
  const channel = new BroadcastChannel(scenarioChannel);
  channel.addEventListener("message", ({ data }) => data.scenario && resolve(data.scenario));
  channel.postMessage({ ask: true });
});
// A real one is there once a session is.
const device = async () => ((await scenario).gpu === "real" ? realEnv.webgpu.device : simulatedDevice);

// Not there in browsers without WebGPU.
if ("GPUDevice" in globalThis) recordShaders();

new BroadcastChannel(destroyChannel).addEventListener("message", async () => (await device()).destroy());

export const env = {
  wasm: realEnv.wasm,
  webgpu: {
    get device() {
      return device();
    },
  },
};

/** The real runtime, or one that stands for a graphics device. It tells the page what it does. */
export const InferenceSession = {
  async create(graph: Uint8Array, options: RealSession.SessionOptions) {
    const { gpu, failure, profile } = await scenario;
    const [provider = "wasm"] = (options.executionProviders ?? []) as string[];
    if (provider === "wasm" || gpu === "real") {
      const session = await RealSession.create(graph, { ...options, ...(profile && { enableProfiling: true }) });
      return recorded(session, provider, profile ? profiled(session) : undefined);
    }
    if (failure === "load") throw new Error("no memory is left on the graphics device");
    if (failure === "hang at load") return never;
    const session = await RealSession.create(graph, { ...options, executionProviders: ["wasm"] });
    return recorded(session, provider, simulated(session, { gpu, ...(failure && { failure }) }));
  },
};

function profiled(session: RealSession): (feeds: Feeds) => Promise<Results> {
  const run = session.run.bind(session);
  return async (feeds) => {
    const results = await run(feeds);
    session.endProfiling();
    return results;
  };
}

/** Runs of several texts before the device fails: two to be compared, and one more. */
const runsBeforeFailure = 3;

function simulated(session: RealSession, { gpu, failure }: Scenario): (feeds: Feeds) => Promise<Results> {
  const run = session.run.bind(session);
  const known = new Map<string, Float32Array>();
  let runs = 0;
  return async (feeds) => {
    const ids = feeds.input_ids as Tensor;
    const [texts = 1, tokens = 0] = ids.dims;
    // Slower than any processor, whatever else it does.
    if (gpu === "simulated, slow") await new Promise((resolve) => setTimeout(resolve, 2_000));
    // Only the texts of a request come several at a time: the self-test's come alone.
    const fails = texts > 1 && ++runs > runsBeforeFailure ? failure : undefined;
    if (fails === "hang") return never;
    if (fails === "crash") {
      reportError(new Error("The worker was killed"));
      return never;
    }
    if (fails === "lost") simulatedDevice.destroy();
    if (fails === "uncaptured") {
      simulatedDevice.dispatchEvent(Object.assign(new Event("uncapturederror"), { error: { message: "Out of memory" } }));
    }
    const key = `${ids.dims} ${ids.data}`;
    const pooled = known.get(key) ?? ((await run(feeds)).pooled?.data as Float32Array);
    known.set(key, pooled);
    const vectors = Float32Array.from(pooled);
    if (failure === "wrong vectors" || (failure === "wrong vectors of long texts" && tokens > 32)) vectors.reverse();
    if (fails === "not finite") vectors.fill(Number.NaN);
    return { pooled: new Tensor("float32", vectors, [texts, vectors.length / texts]) };
  };
}
