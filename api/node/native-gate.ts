const inside = 0;
const closed = 1;

/**
 * Keeps a process from ending while one of its threads is inside onnxruntime-node. When a process exits, Node stops
 * its threads; one that is stopped in a native call throws into an environment that is gone, and the process aborts
 * (exit code 134) instead of ending as it was told to.
 */
export class NativeGate {
  /** Two flags that both threads see: whether the worker is inside, and whether it may still enter. */
  readonly flags: Int32Array<SharedArrayBuffer>;

  /** @param flags the other thread's, on the worker's side */
  constructor(flags: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(8))) {
    this.flags = flags;
  }

  /** Makes a native call, on the worker's side. Never returns once the gate is closed: the process is ending. */
  async pass<T>(call: () => Promise<T>): Promise<T> {
    // First the one flag, then the other: the closing side does it the other way round, so one sees the other.
    Atomics.store(this.flags, inside, 1);
    const ending = Atomics.load(this.flags, closed) === 1;
    try {
      if (!ending) return await call();
    } finally {
      Atomics.store(this.flags, inside, 0);
      Atomics.notify(this.flags, inside);
    }
    return new Promise<never>(() => {});
  }

  /**
   * Lets nobody in any more and blocks until the worker is out, at most `timeout` ms. Whether it is: only then may its
   * thread be stopped.
   */
  close(timeout: number): boolean {
    Atomics.store(this.flags, closed, 1);
    return Atomics.wait(this.flags, inside, 1, timeout) !== "timed-out";
  }
}
