"""One set of int8 weights: channels smoothed, one scale per output channel, one scale per embedding row, cut into shards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from onnx import TensorProto

from checkpoint import Checkpoint, Norm, Seen

# A shard stays below 20 MB: edge platforms take assets up to 25 MiB, and a browser can fetch shards side by side.
SHARD_BYTES = 20_000_000
ALIGNMENT = 64


@dataclass
class Int8Dense:
    """y = (x * input_scale) @ (weight_q * weight_scale) + bias, with one weight_scale per column.

    input_scale is None where there is nothing to multiply. input_range is the lowest and the highest that x * input_scale
    came to over the calibration texts: None where x is scaled row by row.
    """

    weight_q: np.ndarray
    weight_scale: np.ndarray
    bias: np.ndarray
    input_scale: np.ndarray | None
    input_range: tuple[float, float] | None


@dataclass
class Int8Table:
    """Embedding rows: row i is approximately rows_q[i] * scale[i]."""

    rows_q: np.ndarray
    scale: np.ndarray


@dataclass
class Int8Model:
    config: dict
    word: Int8Table
    position: Int8Table
    token_type: np.ndarray
    embedding_norm: Norm
    layers: list[dict[str, Int8Dense]]
    norms: list[tuple[Norm, Norm]]  # of each layer: after attention, after the feed-forward part


def smoothing(largest: np.ndarray, weights: list[np.ndarray], alpha: float) -> np.ndarray:
    """Per-channel divisors that move the outliers of an activation into the weights (Xiao et al., SmoothQuant, 2022).

    alpha 0 leaves the activation as it is, 1 makes all its channels equally large. The divisors are brought to a
    geometric mean of 1; that changes nothing in the result, and keeps the numbers readable.
    """
    weight_largest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
    divisor = np.maximum(largest, 1e-5) ** alpha / np.maximum(weight_largest, 1e-5) ** (1 - alpha)
    return (divisor / np.exp(np.log(divisor).mean())).astype(np.float32)


def range_of(seen: Seen, divisor: np.ndarray) -> tuple[float, float]:
    return float((seen.lowest / divisor).min()), float((seen.highest / divisor).max())


def quantize_columns(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = (np.abs(weight).max(axis=0) / 127).astype(np.float32)
    return np.round(weight / scale).astype(np.int8), scale


def quantize_rows(table: np.ndarray) -> Int8Table:
    scale = (np.abs(table).max(axis=1, keepdims=True) / 127).astype(np.float32)
    return Int8Table(np.round(table / scale).astype(np.int8), scale)


def quantize(checkpoint: Checkpoint, activations: list[dict[str, Seen]], alpha: float) -> Int8Model:
    layers = []
    for layer, seen in zip(checkpoint.layers, activations):
        weight = {part: dense.weight for part, dense in layer.dense.items()}
        bias = {part: dense.bias for part, dense in layer.dense.items()}
        attention_input = smoothing(
            np.maximum(seen["query"].largest, seen["key"].largest), [weight["query"], weight["key"], weight["value"]], alpha
        )
        # What the attention output sees is a mean of values, channel by channel. So its divisor can go into the columns
        # of the value product: no multiplication is left to do while encoding.
        context = smoothing(seen["attention_output"].largest, [weight["attention_output"]], alpha)
        weight["value"], bias["value"] = weight["value"] / context, bias["value"] / context
        divisors = {
            "query": attention_input,
            "key": attention_input,
            "value": attention_input,
            "attention_output": context,
            "intermediate": smoothing(seen["intermediate"].largest, [weight["intermediate"]], alpha),
            # No smoothing here. What comes out of GELU has outlying tokens rather than outlying channels: cpu.onnx scales it
            # row by row, and with smoothing besides, the result was worse.
            "output": np.float32([1]),
        }
        layers.append({})
        for part, divisor in divisors.items():
            weight_q, weight_scale = quantize_columns(weight[part] * divisor[:, None])
            smoothed = part not in ("attention_output", "output")
            input_scale = (1 / divisor).astype(np.float32) if smoothed else None
            # Query, key and value share one quantized activation: that of all positions, which in the last layer keys see.
            input_range = range_of(seen["key" if part in ("query", "value") else part], divisor) if smoothed else None
            layers[-1][part] = Int8Dense(weight_q, weight_scale, bias[part].astype(np.float32), input_scale, input_range)
    return Int8Model(
        checkpoint.config,
        quantize_rows(checkpoint.word),
        quantize_rows(checkpoint.position),
        checkpoint.token_type,
        checkpoint.embedding_norm,
        layers,
        [(layer.attention_norm, layer.output_norm) for layer in checkpoint.layers],
    )


@dataclass
class Shards:
    """The weight stream (see engine.py), cut into files; both graphs refer to its tensors as ONNX external data."""

    blobs: list[bytearray] = field(default_factory=lambda: [bytearray()])
    tensors: dict[str, TensorProto] = field(default_factory=dict)

    def add(self, name: str, array: np.ndarray) -> None:
        if self.blobs[-1] and len(self.blobs[-1]) + array.nbytes + ALIGNMENT > SHARD_BYTES:
            self.blobs.append(bytearray())
        blob = self.blobs[-1]
        blob.extend(b"\0" * (-len(blob) % ALIGNMENT))
        tensor = TensorProto(
            name=name, data_type=TensorProto.INT8, dims=array.shape, data_location=TensorProto.EXTERNAL
        )
        place = {"location": shard_name(len(self.blobs) - 1), "offset": len(blob), "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.tensors[name] = tensor
        blob.extend(np.ascontiguousarray(array).tobytes())

    def write(self, folder: Path) -> list[str]:
        for index, blob in enumerate(self.blobs):
            (folder / shard_name(index)).write_bytes(blob)
        return [shard_name(index) for index in range(len(self.blobs))]


def shard_name(index: int) -> str:
    return f"weights-{index}.bin"


def dense_name(layer: int, part: str) -> str:
    return f"layer.{layer}.{part}.weight_q"


def pack(model: Int8Model) -> Shards:
    shards = Shards()
    for index, layer in enumerate(model.layers):
        for part, dense in layer.items():
            shards.add(dense_name(index, part), dense.weight_q)
    shards.add("position.rows_q", model.position.rows_q)
    shards.add("word.rows_q", model.word.rows_q)
    return shards
