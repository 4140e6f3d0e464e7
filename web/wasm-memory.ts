/** A WebAssembly page, in bytes. */
const pageBytes = 65_536;

/** The share of its size by which memory grows without being asked twice: a twentieth, rounded up to pages. */
const smallGrowth = 0.06;

/**
 * Has memory grow in this realm by little more than is needed. ONNX Runtime, built with Emscripten, asks for a fifth more
 * than it has; where that is refused for a tenth more, and then for a twentieth, or each time for what it needs if that is
 * more. It needs 46.5 MB for the loaded model, and fifths end at 55.4. To be called once.
 */
export function growMemorySparingly(): void {
  const { prototype } = WebAssembly.Memory;
  const { grow } = prototype;
  let refusals = 0;
  prototype.grow = function (pages) {
    if (refusals < 2 && pages * pageBytes > this.buffer.byteLength * smallGrowth) {
      refusals += 1;
      throw new RangeError("Memory grows in smaller steps here");
    }
    refusals = 0;
    return grow.call(this, pages);
  };
}
