"""Reads the published float32 graph: its dense layers, embeddings and norms by name, and what its dense layers see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

DENSE_PARTS = {
    "query": "attention/self/query",
    "key": "attention/self/key",
    "value": "attention/self/value",
    "attention_output": "attention/output/dense",
    "intermediate": "intermediate/dense",
    "output": "output/dense",
}


@dataclass
class Dense:
    """y = x @ weight + bias. `sees` names the tensor of the published graph that is x."""

    weight: np.ndarray
    bias: np.ndarray
    sees: str


@dataclass
class Norm:
    weight: np.ndarray
    bias: np.ndarray


@dataclass
class Layer:
    dense: dict[str, Dense]
    attention_norm: Norm
    output_norm: Norm


@dataclass
class Checkpoint:
    config: dict
    word: np.ndarray
    position: np.ndarray
    token_type: np.ndarray
    embedding_norm: Norm
    layers: list[Layer]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Finds every weight in the published graph.

    The exporter kept the names of biases, norms and embeddings, but renamed the transposed dense weights to
    `onnx::MatMul_<n>`: those are found through the name of the MatMul node that uses them.
    """
    config = json.loads((folder / "config.json").read_text("utf8"))
    graph = onnx.load(folder / "onnx" / "model.onnx").graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = {node.name: node for node in graph.node if node.op_type == "MatMul"}

    def norm(prefix: str) -> Norm:
        return Norm(values[f"{prefix}.LayerNorm.weight"], values[f"{prefix}.LayerNorm.bias"])

    def dense(layer: int, part: str) -> Dense:
        path = f"encoder/layer.{layer}/{DENSE_PARTS[part]}"
        node = products[f"/{path}/MatMul"]
        bias = values[path.replace("/", ".") + ".bias"]
        return Dense(values[node.input[1]], bias, node.input[0])

    layers = [
        Layer(
            {part: dense(index, part) for part in DENSE_PARTS},
            norm(f"encoder.layer.{index}.attention.output"),
            norm(f"encoder.layer.{index}.output"),
        )
        for index in range(config["num_hidden_layers"])
    ]
    return Checkpoint(
        config,
        values["embeddings.word_embeddings.weight"],
        values["embeddings.position_embeddings.weight"],
        values["embeddings.token_type_embeddings.weight"],
        norm("embeddings"),
        layers,
    )


@dataclass
class Seen:
    """The lowest and the highest activation of each input channel of a dense layer, [channels] each."""

    lowest: np.ndarray
    highest: np.ndarray

    @property
    def largest(self) -> np.ndarray:
        return np.maximum(-self.lowest, self.highest)

    def add(self, rows: np.ndarray) -> None:
        self.lowest = np.minimum(self.lowest, rows.min(axis=0))
        self.highest = np.maximum(self.highest, rows.max(axis=0))


def watch_activations(folder: Path, checkpoint: Checkpoint, texts: list[str]) -> list[dict[str, Seen]]:
    """What each dense layer sees of the calibration texts.

    Returns one {part: Seen} per encoder layer. Of the last layer our graphs compute only the CLS position, except
    for keys and values: so only that position counts there.
    """
    model = onnx.load(folder / "onnx" / "model.onnx")
    watched = sorted({dense.sees for layer in checkpoint.layers for dense in layer.dense.values()})
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in watched)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(checkpoint.config["max_position_embeddings"])

    at_any = {name: Seen(np.float32(0), np.float32(0)) for name in watched}
    at_cls = {name: Seen(np.float32(0), np.float32(0)) for name in watched}
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        for name, value in zip(watched, session.run(watched, feeds)):
            at_any[name].add(value[0])
            at_cls[name].add(value[0, :1])

    last = len(checkpoint.layers) - 1
    return [
        {
            part: (at_cls if index == last and part not in ("key", "value") else at_any)[dense.sees]
            for part, dense in layer.dense.items()
        }
        for index, layer in enumerate(checkpoint.layers)
    ]
