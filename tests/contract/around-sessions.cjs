/**
 * For what is preloaded into worker threads: lets it stand around the sessions that a thread creates, whatever computes them. It loads
 * neither runtime.
 * @param create told of each opening, which it must call: `(open: () => Promise<T>) => Promise<T>`. The engine's probes are openings too.
 * @param run told of each run, by what computes it: `(compute: () => T, device: "native" | "wasm", feeds?) => T`; of native ones T is a promise,
 * and feeds are the session's
 * @param created told when a session holds, or is about to hold, a model
 */
module.exports = function aroundSessions({ create = (open) => open(), run, created = () => {} }) {
  // The class that onnxruntime-node gives to its users, without its library.
  const { createRequire } = require("node:module");
  const { InferenceSession } = createRequire(require.resolve("onnxruntime-node"))("onnxruntime-common");
  const createNative = InferenceSession.create;
  InferenceSession.create = (...args) =>
    create(async () => {
      created();
      const session = await createNative.apply(InferenceSession, args);
      const runNative = session.run;
      session.run = (...runArgs) => run(() => runNative.apply(session, runArgs), "native", runArgs[0]);
      return session;
    });

  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (source, ...rest) => {
    const engine = () => instantiate.call(WebAssembly, source, ...rest);
    // Node itself instantiates modules for HTTP, which have imports.
    const isEngine = source instanceof WebAssembly.Module && WebAssembly.Module.exports(source).some(({ name }) => name === "reserve");
    if (!isEngine) return engine();
    const { exports } = await create(engine);
    return {
      exports: {
        ...exports,
        reserve(layers, ...sizes) {
          // A probe needs one.
          if (layers > 1) created();
          return exports.reserve(layers, ...sizes);
        },
        run: (...runArgs) => run(() => exports.run(...runArgs), "wasm"),
      },
    };
  };
};
