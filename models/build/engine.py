"""What the WASM engine reads: the weight stream (int8, the shards one after the other) and engine.bin (float32).

Both are tensors back to back, without names, offsets or padding: the architecture alone says what stands where.

The weight stream, rows by rows:

    for each layer: query, key, value, attention_output     int8 [hidden, hidden]
                    intermediate                            int8 [hidden, intermediate]
                    output                                  int8 [intermediate, hidden]
    position rows                                           int8 [max tokens, hidden]
    word rows                                               int8 [vocabulary, hidden]

A dense weight is [inputs, outputs]. Each tensor is a multiple of 64 bytes, and none begins in one shard and ends in another.

engine.bin, float32 little endian:

    embedding_norm weight, bias; the first token type row   [hidden] each
    for each layer:
        attention input_scale                               [hidden]
        weight_scale of key, value, query; their biases     [hidden] each
        attention_output weight_scale, bias                 [hidden] each
        attention_norm weight, bias                         [hidden] each
        intermediate input_scale                            [hidden]
        intermediate weight_scale, bias                     [intermediate] each
        output weight_scale, bias                           [hidden] each
        output_norm weight, bias                            [hidden] each
    position scales                                         [max tokens]
    word scales                                             [vocabulary]
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from quantize import ALIGNMENT, Int8Dense, Int8Model, Shards, dense_name

ENGINE = "engine.bin"
ATTENTION_INPUTS = ("key", "value", "query")  # in engine.bin; in the weight stream the query comes first

Shapes = dict[str, tuple[int, ...]]


@dataclass
class Architecture:
    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int


def architecture_of(config: dict) -> Architecture:
    return Architecture(
        config["num_hidden_layers"],
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        config["vocab_size"],
    )


def weight_stream(architecture: Architecture, max_tokens: int) -> Shapes:
    """The int8 tensors in the order of the shards."""
    hidden, wide = architecture.hidden, architecture.intermediate
    shapes: Shapes = {}
    for layer in range(architecture.layers):
        for part in ("query", "key", "value", "attention_output"):
            shapes[dense_name(layer, part)] = (hidden, hidden)
        shapes[dense_name(layer, "intermediate")] = (hidden, wide)
        shapes[dense_name(layer, "output")] = (wide, hidden)
    shapes["position.rows_q"] = (max_tokens, hidden)
    shapes["word.rows_q"] = (architecture.vocabulary, hidden)
    return shapes


def float_stream(architecture: Architecture, max_tokens: int) -> Shapes:
    """The float32 tensors in the order of engine.bin."""
    hidden, wide = (architecture.hidden,), (architecture.intermediate,)
    shapes: Shapes = {"embedding_norm.weight": hidden, "embedding_norm.bias": hidden, "token_type.first": hidden}
    for layer in range(architecture.layers):
        of_layer: Shapes = {"attention.input_scale": hidden}
        of_layer |= {f"{part}.weight_scale": hidden for part in ATTENTION_INPUTS}
        of_layer |= {f"{part}.bias": hidden for part in ATTENTION_INPUTS}
        of_layer |= {"attention_output.weight_scale": hidden, "attention_output.bias": hidden}
        of_layer |= {"attention_norm.weight": hidden, "attention_norm.bias": hidden}
        of_layer |= {"intermediate.input_scale": hidden, "intermediate.weight_scale": wide, "intermediate.bias": wide}
        of_layer |= {"output.weight_scale": hidden, "output.bias": hidden}
        of_layer |= {"output_norm.weight": hidden, "output_norm.bias": hidden}
        shapes |= {f"layer.{layer}.{name}": shape for name, shape in of_layer.items()}
    return shapes | {"position.scale": (max_tokens,), "word.scale": (architecture.vocabulary,)}


# ---- writing ----------------------------------------------------------------------------------------------------------------


def check_weight_stream(shards: Shards, shapes: Shapes) -> None:
    """Raises ValueError where the shards are not the weight stream."""
    if [(name, tuple(tensor.dims)) for name, tensor in shards.tensors.items()] != list(shapes.items()):
        raise ValueError("The shards hold other tensors than the weight stream, or in another order")
    shard, end = -1, 0
    for name, tensor in shards.tensors.items():
        place = {entry.key: entry.value for entry in tensor.external_data}
        offset, length = int(place["offset"]), int(place["length"])
        if offset == 0:
            shard, end = shard + 1, 0
        if offset != end or length != prod(shapes[name]) or length % ALIGNMENT:
            raise ValueError(f"{name} does not stand back to back with its neighbours")
        end += length
        following = len(shards.blobs[shard]) - end
        if following < 0:
            raise ValueError(f"{name} crosses the end of its shard")
    if following or shard + 1 != len(shards.blobs):
        raise ValueError("The shards hold more than the weight stream")


def engine_floats(model: Int8Model) -> dict[str, np.ndarray]:
    """Every float32 tensor of engine.bin by name."""
    floats = {
        "embedding_norm.weight": model.embedding_norm.weight,
        "embedding_norm.bias": model.embedding_norm.bias,
        "token_type.first": model.token_type[0],
        "position.scale": model.position.scale.ravel(),
        "word.scale": model.word.scale.ravel(),
    }
    for index, (layer, norms) in enumerate(zip(model.layers, model.norms)):
        for part, dense in layer.items():
            floats |= dense_floats(f"layer.{index}.{part}", dense)
        # Query, key and value see the same activation.
        floats[f"layer.{index}.attention.input_scale"] = layer["query"].input_scale
        floats[f"layer.{index}.intermediate.input_scale"] = layer["intermediate"].input_scale
        for name, norm in zip(("attention_norm", "output_norm"), norms):
            floats |= {f"layer.{index}.{name}.weight": norm.weight, f"layer.{index}.{name}.bias": norm.bias}
    return floats


def dense_floats(name: str, dense: Int8Dense) -> dict[str, np.ndarray]:
    return {f"{name}.weight_scale": dense.weight_scale, f"{name}.bias": dense.bias}


def write_engine(model: Int8Model, shards: Shards, folder: Path) -> None:
    """engine.bin; and the proof that the shards are what the engine takes them for."""
    architecture, max_tokens = architecture_of(model.config), model.config["max_position_embeddings"]
    check_weight_stream(shards, weight_stream(architecture, max_tokens))
    floats = engine_floats(model)
    shapes = float_stream(architecture, max_tokens)
    if {name: array.shape for name, array in floats.items()} != shapes:
        raise ValueError("The model's floats do not have the shapes of engine.bin")
    stream = np.concatenate([floats[name] for name in shapes]).astype("<f4")
    if not np.isfinite(stream).all():
        raise ValueError("A float of the model is not finite")
    (folder / ENGINE).write_bytes(stream.tobytes())


# ---- reading ----------------------------------------------------------------------------------------------------------------


def split(stream: np.ndarray, shapes: Shapes) -> dict[str, np.ndarray]:
    """The tensors that stand back to back in a stream."""
    if len(stream) != sum(prod(shape) for shape in shapes.values()):
        raise ValueError("The stream does not have the architecture's length")
    tensors, start = {}, 0
    for name, shape in shapes.items():
        tensors[name] = stream[start : start + prod(shape)].reshape(shape)
        start += prod(shape)
    return tensors
