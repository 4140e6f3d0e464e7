"""The engine's arithmetic, defined: the vector that every build of the WASM engine computes, to the bit.

All floats are float32, and each operation rounds by itself (nearest, ties to even): no fused multiply-add, no other order of
a sum than the one written here. Products of matrices are of integers, and exact. So what is vectorized here, and what a
device computes side by side, changes nothing. A text's vector depends on that text alone.

The order of operations matters wherever one is written: (a * b) * c is not a * (b * c). Maxima have no order. A number that
stands here is the float32 nearest to it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import ENGINE, Architecture, float_stream, split, weight_stream

HEAD = 32
EPSILON = np.float32(1e-12)
# The largest quantized activation: 14 bits with the sign. 8191 * 127 * 384 and 8191 * 8191 * 32 stay below 2^31.
LARGEST = np.float32(8191)
SMALLEST_MAGNITUDE = np.float32(1e-8)
# The integers of a row of probabilities: each at most 32767, all together at most 260,000 and their roundings, so that their
# products with values stay below 2^31.
LARGEST_PROBABILITY, PROBABILITY_SUM = np.float32(32767), np.float32(260000)
# 1 / sqrt(32), and from powers of e to powers of 2.
SCORE_UNIT = np.float32(0.17677669529) * np.float32(1.44269504089)
# The output product goes a quarter of its inputs at a time.
QUARTERS = 4
# 1.5 * 2^23. What is added to it loses its fraction, and its integer stands in the low bits.
MAGIC = np.float32(12582912)
MAGIC_BITS = np.int32(0x4B400000)


@dataclass
class Engine:
    """A model as the engine has it: tensors by their names in the two streams of engine.py."""

    architecture: Architecture
    pooling: str
    weights: dict[str, np.ndarray]
    floats: dict[str, np.ndarray]


@dataclass
class Quantized:
    """Rows of int32, [rows, n], and what each row's integers are multiplied with, [rows, 1]."""

    integers: np.ndarray
    scale: np.ndarray

    def first(self, rows: int) -> Quantized:
        return Quantized(self.integers[:rows], self.scale[:rows])


def make_engine(
    architecture: Architecture, max_tokens: int, pooling: str, weights: np.ndarray, floats: np.ndarray
) -> Engine:
    """Of the two streams: int8 and float32."""
    if architecture.hidden != HEAD * architecture.heads or architecture.intermediate != QUARTERS * architecture.hidden:
        raise ValueError("The engine takes heads of 32 and four times as many intermediate columns as hidden ones")
    return Engine(
        architecture,
        pooling,
        split(weights, weight_stream(architecture, max_tokens)),
        split(floats, float_stream(architecture, max_tokens)),
    )


def read_engine(folder: Path, architecture: Architecture, max_tokens: int, pooling: str, shards: list[str]) -> Engine:
    weights = np.concatenate([np.fromfile(folder / name, np.int8) for name in shards])
    return make_engine(architecture, max_tokens, pooling, weights, np.fromfile(folder / ENGINE, "<f4"))


def read_model(folder: Path) -> Engine:
    """Of a folder that `build` wrote."""
    manifest = json.loads((folder / "manifest.json").read_text("utf8"))
    architecture = Architecture(**manifest["architecture"])
    return read_engine(folder, architecture, manifest["maxTokens"], manifest["pooling"], manifest["weights"])


# ---- integers ---------------------------------------------------------------------------------------------------------------


def nearest(x: np.ndarray) -> np.ndarray:
    """Each number's nearest integer, of two equally near ones the even one. |x| is below 2^22."""
    return (x + MAGIC).view(np.int32) - MAGIC_BITS


def magnitude(x: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """The largest magnitude, never zero."""
    return np.maximum(np.abs(x).max(axis=axis, keepdims=True), SMALLEST_MAGNITUDE)


def quantize(x: np.ndarray, axis: int | tuple[int, ...] = -1) -> Quantized:
    """The largest magnitude along the axis (a row's, unless told otherwise) becomes 8191."""
    largest = magnitude(x, axis)
    return Quantized(nearest(x * (LARGEST / largest)), largest / LARGEST)


def integer_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b in int32, exactly, as float32. (float64, which holds such integers exactly, has the fast products.)"""
    sums = a.astype(np.float64) @ b.astype(np.float64)
    assert np.abs(sums).max() < 2**31
    return sums.astype(np.float32)


# ---- sums and functions -----------------------------------------------------------------------------------------------------


def total(x: np.ndarray) -> np.ndarray:
    """The sum of each row, whose length is a multiple of 8: eight sums of every eighth number, then those in pairs."""
    lanes = np.zeros((*x.shape[:-1], 8), np.float32)
    for start in range(0, x.shape[-1], 8):
        lanes = lanes + x[..., start : start + 8]
    four = lanes[..., :4] + lanes[..., 4:]
    two = four[..., 0::2] + four[..., 1::2]
    return two[..., :1] + two[..., 1:]


def polynomial(x: np.ndarray, *coefficients: float) -> np.ndarray:
    """From the highest power's coefficient to the constant."""
    result = x * np.float32(coefficients[0]) + np.float32(coefficients[1])
    for coefficient in coefficients[2:]:
        result = x * result + np.float32(coefficient)
    return result


def exp2(x: np.ndarray) -> np.ndarray:
    """2^x for x <= 0, and 2^-126 below: a polynomial of the fraction, the integer added to the exponent."""
    x = np.maximum(np.float32(-126), x)
    shifted = x + MAGIC
    fraction = x - (shifted - MAGIC)
    power = polynomial(
        fraction, 1.3333558146e-3, 9.6181291076e-3, 5.5504108665e-2, 0.24022650696, 0.69314718056, 1
    )
    return (power.view(np.int32) + (shifted.view(np.int32) << 23)).view(np.float32)


def gelu(x: np.ndarray) -> np.ndarray:
    """x / 2 * (1 + erf(x / sqrt 2)), erf as a quotient of polynomials of the square, between -4 and 4."""
    z = np.clip(x * np.float32(0.70710678118), np.float32(-4), np.float32(4))
    square = z * z
    upper = polynomial(
        square,
        -2.72614225801306e-10,
        2.77068142495902e-8,
        -2.10102402082508e-6,
        -5.69250639462346e-5,
        -7.34990630326855e-4,
        -2.95459980854025e-3,
        -1.60960333262415e-2,
    )
    lower = polynomial(
        square,
        -1.45660718464996e-5,
        -2.13374055278905e-4,
        -1.68282697438203e-3,
        -7.37332916720468e-3,
        -1.42647390514189e-2,
    )
    erf, half = z * upper / lower, x * np.float32(0.5)
    return half + half * erf


# ---- layers -----------------------------------------------------------------------------------------------------------------


def norm(engine: Engine, name: str, x: np.ndarray) -> np.ndarray:
    """LayerNormalization of each row."""
    n = np.float32(x.shape[-1])
    centered = x - total(x) / n
    factor = np.float32(1) / np.sqrt(total(centered * centered) / n + EPSILON)
    return centered * factor * engine.floats[f"{name}.weight"] + engine.floats[f"{name}.bias"]


def embed(engine: Engine, ids: list[int]) -> np.ndarray:
    words = engine.weights["word.rows_q"][ids].astype(np.float32) * engine.floats["word.scale"][ids, None]
    positions = engine.weights["position.rows_q"][: len(ids)].astype(np.float32)
    positions = positions * engine.floats["position.scale"][: len(ids), None]
    return norm(engine, "embedding_norm", words + (positions + engine.floats["token_type.first"]))


def dense(engine: Engine, name: str, x: Quantized) -> np.ndarray:
    product = integer_product(x.integers, engine.weights[f"{name}.weight_q"])
    return product * x.scale * engine.floats[f"{name}.weight_scale"] + engine.floats[f"{name}.bias"]


def by_head(x: np.ndarray) -> np.ndarray:
    """[rows, hidden] as [heads, rows, 32]."""
    return x.reshape(len(x), -1, HEAD).transpose(1, 0, 2)


def attend(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Means of one text's values, head by head.

    Queries and keys have a scale for each row and head, values one for each head.
    """
    queries, keys = quantize(by_head(query)), quantize(by_head(key))
    values = quantize(by_head(value), axis=(1, 2))
    scores = integer_product(queries.integers, keys.integers.transpose(0, 2, 1))
    scores = scores * queries.scale * (keys.scale * SCORE_UNIT).transpose(0, 2, 1)
    probabilities = softmax(scores)
    means = integer_product(probabilities.integers, values.integers) * (probabilities.scale * values.scale)
    return means.transpose(1, 0, 2).reshape(query.shape)


def softmax(scores: np.ndarray) -> Quantized:
    """Powers of two of each row, to sum up to 1."""
    count = scores.shape[-1]
    # Rows are filled up to a multiple of 8, for the order of the sum.
    fill = np.full((*scores.shape[:-1], -count % 8), -1e30, np.float32)
    scores = np.concatenate([scores, fill], axis=-1)
    powers = exp2(scores - scores.max(axis=-1, keepdims=True))
    sums = total(powers)
    factor = np.minimum(LARGEST_PROBABILITY, PROBABILITY_SUM / sums)
    return Quantized(nearest(powers[..., :count] * factor), np.float32(1) / (factor * sums))


def feed_forward(engine: Engine, layer: str, x: Quantized) -> np.ndarray:
    """Four quarters of the intermediate columns, each quantized by itself, add up in the output one after the other."""
    widened = gelu(dense(engine, f"{layer}.intermediate", x))
    weight, scale = engine.weights[f"{layer}.output.weight_q"], engine.floats[f"{layer}.output.weight_scale"]
    result = engine.floats[f"{layer}.output.bias"]
    for columns, rows in zip(np.split(widened, QUARTERS, axis=1), np.split(weight, QUARTERS)):
        quarter = quantize(columns)
        result = integer_product(quarter.integers, rows) * quarter.scale * scale + result
    return result


def encoder_layer(engine: Engine, index: int, x: np.ndarray, rows: int) -> np.ndarray:
    """The first `rows` rows of what the layer makes of x."""
    layer = f"layer.{index}"
    quantized = quantize(x * engine.floats[f"{layer}.attention.input_scale"])
    key, value = (dense(engine, f"{layer}.{part}", quantized) for part in ("key", "value"))
    query = dense(engine, f"{layer}.query", quantized.first(rows))
    attended = dense(engine, f"{layer}.attention_output", quantize(attend(query, key, value)))
    x = norm(engine, f"{layer}.attention_norm", x[:rows] + attended)
    quantized = quantize(x * engine.floats[f"{layer}.intermediate.input_scale"])
    return norm(engine, f"{layer}.output_norm", x + feed_forward(engine, layer, quantized))


# ---- a text -----------------------------------------------------------------------------------------------------------------


def pool(engine: Engine, ids: list[int]) -> np.ndarray:
    """The vector of a text's token ids, not normalized: its first row, or the mean of its rows."""
    x = embed(engine, ids)
    last = engine.architecture.layers - 1
    for index in range(last):
        x = encoder_layer(engine, index, x, len(ids))
    x = encoder_layer(engine, last, x, 1 if engine.pooling == "cls" else len(ids))
    return x[0] if engine.pooling == "cls" else mean(x)


def mean(x: np.ndarray) -> np.ndarray:
    """Row by row from the first; one division."""
    result = x[0]
    for row in x[1:]:
        result = result + row
    return result / np.float32(len(x))


def normalize(vector: np.ndarray) -> np.ndarray:
    """To length 1: squares added up in float64 one after the other, each component rounded to float32 once."""
    squares = 0.0
    for component in vector.tolist():
        squares += component * component
    length = math.sqrt(squares)
    return (vector.astype(np.float64) / length).astype(np.float32) if length > 0 else vector


def encode(engine: Engine, ids: list[int]) -> np.ndarray:
    return normalize(pool(engine, ids))
