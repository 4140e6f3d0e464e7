import { env, InferenceSession as RealSession, Tensor } from "onnxruntime-web/wasm";
import { type RuntimeRecord, runtimeChannel } from "./runtime-record.ts";

export { env, Tensor };

const worker = crypto.randomUUID();
const now = () => performance.timeOrigin + performance.now();

/** The real runtime, which tells the page what it does. */
export const InferenceSession = {
  async create(...options: Parameters<typeof RealSession.create>): Promise<RealSession> {
    const channel = new BroadcastChannel(runtimeChannel);
    const tell = (record: RuntimeRecord) => channel.postMessage(record);
    const session = await RealSession.create(...options);
    tell({ worker, created: true });
    const run = session.run.bind(session);
    session.run = async (feeds: Parameters<typeof run>[0]) => {
      const start = now();
      try {
        return await run(feeds);
      } finally {
        tell({ worker, start, end: now() });
      }
    };
    return session;
  },
};
