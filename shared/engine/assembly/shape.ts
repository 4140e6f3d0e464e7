// The shape for which the engine is compiled, and the bounds on which its integer arithmetic relies.

/** Dimensions of a token's vector. */
export const HIDDEN: u32 = 384;
export const HEADS: u32 = 12;
/** Dimensions of an attention head. */
export const HEAD: u32 = HIDDEN / HEADS;
/** Width of the feed-forward layer. */
export const INTERMEDIATE: u32 = HIDDEN * 4;
/** Added to the variance by LayerNormalization. */
export const EPSILON: f32 = 1e-12;

/** Maximum magnitude of a quantized activation: 14 bits, which two 7-bit halves can represent. */
export const LARGEST_ACTIVATION: i32 = 8191;
const LARGEST_WEIGHT: i32 = 127;
/** Maximum sum of the integer probabilities of a softmax row, before rounding. */
export const PROBABILITY_SUM: i32 = 260000;
/** Maximum tokens of a text. Rounding this many probabilities adds at most half of this number to their sum. */
export const MAX_TOKENS: u32 = 512;

// Sums of products are exact, since all stay below 2^31.
if (<i64>HIDDEN * LARGEST_ACTIVATION * LARGEST_WEIGHT > <i64>i32.MAX_VALUE) ERROR("A product of weights overflows");
if (<i64>HEAD * LARGEST_ACTIVATION * LARGEST_ACTIVATION > <i64>i32.MAX_VALUE) ERROR("A product of queries and keys overflows");
if (<i64>(PROBABILITY_SUM + <i32>MAX_TOKENS / 2) * LARGEST_ACTIVATION > <i64>i32.MAX_VALUE)
  ERROR("A product of probabilities and values overflows");

/** Weights are packed and multiplied as matrices of HIDDEN x HIDDEN int8. */
export const MATRIX: u32 = HIDDEN * HIDDEN;
/** Matrices of a layer, in order: key, value, query, attention output, four of the first and four of the second feed-forward product. */
export const MATRICES_PER_LAYER: u32 = 12;
export const KEY_MATRIX: u32 = 0,
  QUERY_MATRIX: u32 = 2,
  ATTENTION_OUTPUT_MATRIX: u32 = 3,
  INTERMEDIATE_MATRIX: u32 = 4,
  OUTPUT_MATRIX: u32 = 8;

// Offsets of a layer's floats in engine.bin, in floats from the start of the layer.
export const ATTENTION_INPUT_SCALE: u32 = 0;
/** Weight scales of key, value and query, then their biases. */
export const ATTENTION_SCALES: u32 = HIDDEN,
  ATTENTION_BIASES: u32 = HIDDEN * 4;
export const ATTENTION_OUTPUT_SCALE: u32 = HIDDEN * 7,
  ATTENTION_OUTPUT_BIAS: u32 = HIDDEN * 8;
/** Weight, then bias. */
export const ATTENTION_NORM: u32 = HIDDEN * 9;
export const INTERMEDIATE_INPUT_SCALE: u32 = HIDDEN * 11;
export const INTERMEDIATE_SCALE: u32 = HIDDEN * 12,
  INTERMEDIATE_BIAS: u32 = HIDDEN * 16;
export const OUTPUT_SCALE: u32 = HIDDEN * 20,
  OUTPUT_BIAS: u32 = HIDDEN * 21;
/** Weight, then bias. */
export const OUTPUT_NORM: u32 = HIDDEN * 22;
export const FLOATS_PER_LAYER: u32 = HIDDEN * 24;
/** Before the first layer: the embedding's norm (weight, then bias) and the row of token type 0. */
export const FLOATS_BEFORE_LAYERS: u32 = HIDDEN * 3;
export const TOKEN_TYPE: u32 = HIDDEN * 2;

/** Size of a row of HIDDEN floats in bytes. */
export const ROW_BYTES: u32 = HIDDEN * 4;
