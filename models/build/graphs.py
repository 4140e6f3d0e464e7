"""Writes the two graphs over the int8 weights: cpu.onnx (int8 arithmetic, for Node) and gpu.onnx (float32, for WebGPU).

They are written node by node instead of being edited out of the published graph: what runs is then what stands here, and no
part depends on a runtime's recognizing a pattern. `com.microsoft` operators are ONNX Runtime's own; they are in its native
and WebGPU builds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from checkpoint import Norm
from quantize import Int8Dense, Int8Model, Shards, dense_name

OPSET = 17  # the first with LayerNormalization
IR_VERSION = 8  # the one that belongs to it, read by every runtime since ONNX Runtime 1.12
RUNTIME_DOMAIN = "com.microsoft"


class GraphWriter:
    """Nodes and initializers in order of writing. Every method that adds a node returns the name of its output."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}

    def node(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def runtime_node(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        return self.node(op, inputs, output, domain=RUNTIME_DOMAIN, **attributes)

    def constant(self, name: str, value: npt.ArrayLike, dtype: type = np.float32) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.array(value, dtype, order="C"), name)
        return name

    def weight(self, name: str) -> str:
        self.initializers[name] = self.shards.tensors[name]
        return name

    def dequantized_rows(self, name: str, scale: np.ndarray, ids: str) -> str:
        """Rows of an int8 embedding table by their ids. Only these rows become float32, never the table."""
        rows = self.node("Gather", [self.weight(f"{name}.rows_q"), ids], f"{name}.rows")
        scales = self.node("Gather", [self.constant(f"{name}.scale", scale), ids], f"{name}.row_scales")
        as_float = self.node("Cast", [rows], f"{name}.rows_float", to=TensorProto.FLOAT)
        return self.node("Mul", [as_float, scales], f"{name}.embedding")

    def positions(self, model: Int8Model, length: str) -> str:
        """The first `length` position embeddings, [length, hidden]. The table is constant: it becomes float32 at load."""
        as_float = self.node("Cast", [self.weight("position.rows_q")], "position.float", to=TensorProto.FLOAT)
        table = self.node("Mul", [as_float, self.constant("position.scale", model.position.scale)], "position.table")
        start, axis = self.constant("at_0", [0], np.int64), self.constant("axis_0", [0], np.int64)
        return self.node("Slice", [table, start, length, axis], "position.embedding")

    def norm(self, x: str, norm: Norm, epsilon: float, name: str) -> str:
        weight = self.constant(f"{name}.weight", norm.weight)
        bias = self.constant(f"{name}.bias", norm.bias)
        return self.node("LayerNormalization", [x, weight, bias], name, axis=-1, epsilon=epsilon)

    def finish(self, name: str, inputs: list[str], x: str, hidden: int) -> onnx.ModelProto:
        """The graph from token ids, [batch, tokens], to x, [batch, 1, hidden], as `pooled`, [batch, hidden]."""
        self.node("Reshape", [x, self.constant("flat", [-1, hidden], np.int64)], "pooled")
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(key, TensorProto.INT64, ["batch", "tokens"]) for key in inputs],
            [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", hidden])],
            list(self.initializers.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME_DOMAIN, 1)]
        return helper.make_model(graph, producer_name="samevec", opset_imports=opsets, ir_version=IR_VERSION)


# ---- cpu.onnx ---------------------------------------------------------------------------------------------------------------


class CpuGraph(GraphWriter):
    """int8 for runs of one text, or of several with equally many tokens: without padding, so no mask and no token types.

    No scale depends on more than one row: inputs that a LayerNormalization has made even have a constant one, found by
    calibration; the others are scaled row by row. So a text's vector is the same, to the bit, whatever shares its run.
    """

    def smoothed(self, x: str, dense: Int8Dense, name: str) -> list[str]:
        """x with its outlying channels made smaller, as uint8."""
        scale = self.constant(f"{name}.input_scale", dense.input_scale)
        return self.quantized(self.node("Mul", [x, scale], f"{name}.smoothed"), dense.input_range, name)

    def quantized(self, x: str, bounds: tuple[float, float], name: str) -> list[str]:
        """x as uint8, its scale and its zero point. What lies outside the bounds is brought to them."""
        lowest, highest = bounds
        step = np.float32((highest - lowest) / 255)
        scale = self.constant(f"{name}.q_scale", step)
        zero = self.constant(f"{name}.q_zero", round(-lowest / float(step)), np.uint8)
        return [self.node("QuantizeLinear", [x, scale, zero], f"{name}.q"), scale, zero]

    def dense(self, quantized: list[str], dense: Int8Dense, layer: int, part: str) -> str:
        *factors, bias = self.factors(quantized, dense, layer, part)
        return self.runtime_node("MatMulIntegerToFloat", [*factors, bias], f"layer.{layer}.{part}.out")

    def dense_by_row(self, x: str, bounds: tuple[float, float], smallest: float, dense: Int8Dense, layer: int, part: str) -> str:
        """As dense(), of float32 x, with each row of x divided by its own size before, and the result multiplied by it after.

        The size is the row's largest activation, either sign where the bounds are symmetric, and at least `smallest`; the
        bounds are those of what is left.
        """
        name = f"layer.{layer}.{part}"
        magnitude = self.node("Abs", [x], f"{name}.magnitude") if bounds[0] == -bounds[1] else x
        largest = self.node("ReduceMax", [magnitude], f"{name}.row_max", axes=[-1], keepdims=1)
        size = self.node("Max", [largest, self.constant(f"{part}.smallest_row", smallest)], f"{name}.row_size")
        even = self.quantized(self.node("Div", [x, size], f"{name}.even"), bounds, f"{name}.even")
        *factors, bias = self.factors(even, dense, layer, part)
        product = self.runtime_node("MatMulIntegerToFloat", factors, f"{name}.product")
        product = self.node("Mul", [product, size], f"{name}.resized")
        return self.node("Add", [product, bias], f"{name}.out")

    def factors(self, quantized: list[str], dense: Int8Dense, layer: int, part: str) -> list[str]:
        name = f"layer.{layer}.{part}"
        x, x_scale, x_zero = quantized
        return [
            x,
            self.weight(dense_name(layer, part)),
            x_scale,
            self.constant(f"{name}.weight_scale", dense.weight_scale),
            x_zero,
            # One zero point for each weight, though all are zero: session.x64quantprecision rewrites a weight and its
            # zero point together, and fails on a shared one.
            self.constant(f"{name}.weight_zero", 0, np.int8),
            self.constant(f"{name}.bias", dense.bias),
        ]


# Means of values: rows may be of any size and sign.
CONTEXT_BOUNDS, SMALLEST_CONTEXT = (-1.0, 1.0), 1e-4
# GELU is nowhere below -0.17, so rows of at least 1 stay above that when divided by their size. Some tokens have activations
# up to twelve times those of the median token: one scale over all rows left few steps to the others.
GELU_BOUNDS, SMALLEST_GELU = (-0.17, 1.0), 1.0


def cpu_graph(model: Int8Model, shards: Shards) -> onnx.ModelProto:
    config, graph = model.config, CpuGraph(shards)
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon, last = config["layer_norm_eps"], len(model.layers) - 1

    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    words = graph.dequantized_rows("word", model.word.scale, "input_ids")
    # A single text has token type 0 throughout.
    token_type = graph.constant("token_type.first", model.token_type[0])
    places = graph.node("Add", [graph.positions(model, length), token_type], "places")
    x = graph.node("Add", [words, places], "embedding_sum")
    x = graph.norm(x, model.embedding_norm, epsilon, "embedding_norm")

    for index, (layer, norms) in enumerate(zip(model.layers, model.norms)):
        name = f"layer.{index}"
        quantized = graph.smoothed(x, layer["query"], f"{name}.attention")
        key = graph.dense(quantized, layer["key"], index, "key")
        value = graph.dense(quantized, layer["value"], index, "value")
        if index == last:
            # Only the CLS position leaves the last layer, and only keys and values need the others.
            cls = graph.constant("at_cls", [0], np.int64)
            x = graph.node("Gather", [x, cls], "cls", axis=1)
            quantized = [graph.node("Gather", [quantized[0], cls], "cls.q", axis=1), *quantized[1:]]
        query = graph.dense(quantized, layer["query"], index, "query")
        context = graph.runtime_node("MultiHeadAttention", [query, key, value], f"{name}.context", num_heads=heads)

        attended = graph.dense_by_row(
            context, CONTEXT_BOUNDS, SMALLEST_CONTEXT, layer["attention_output"], index, "attention_output"
        )
        x = graph.node("Add", [attended, x], f"{name}.attention_sum")
        x = graph.norm(x, norms[0], epsilon, f"{name}.attention_norm")
        quantized = graph.smoothed(x, layer["intermediate"], f"{name}.intermediate")
        widened = graph.dense(quantized, layer["intermediate"], index, "intermediate")
        widened = graph.runtime_node("Gelu", [widened], f"{name}.gelu")
        narrowed = graph.dense_by_row(widened, GELU_BOUNDS, SMALLEST_GELU, layer["output"], index, "output")
        x = graph.node("Add", [narrowed, x], f"{name}.output_sum")
        x = graph.norm(x, norms[1], epsilon, f"{name}.output_norm")
    return graph.finish("cpu", ["input_ids"], x, hidden)


# ---- gpu.onnx ---------------------------------------------------------------------------------------------------------------


class GpuGraph(GraphWriter):
    """float32 arithmetic on dequantized weights, fused for WebGPU, for padded batches.

    Made for session.disable_quant_qdq=1: the runtime then dequantizes each weight once at load, instead of in every run.
    """

    def product(self, x: str, dense: Int8Dense, layer: int, part: str) -> str:
        """x @ weight, without the bias, which the fused operator after it adds."""
        name = f"layer.{layer}.{part}"
        scale = self.constant(f"{name}.weight_scale", dense.weight_scale)
        inputs = [self.weight(dense_name(layer, part)), scale]
        weight = self.node("DequantizeLinear", inputs, f"{name}.weight_smoothed", axis=1)
        if dense.input_scale is not None:
            unsmooth = self.constant(f"{name}.unsmooth", dense.input_scale[:, None])
            weight = self.node("Mul", [weight, unsmooth], f"{name}.weight")
        return self.node("MatMul", [x, weight], f"{name}.product")

    def bias(self, dense: Int8Dense, layer: int, part: str) -> str:
        return self.constant(f"layer.{layer}.{part}.bias", dense.bias)

    def add_norm(self, x: str, skip: str, bias: str, norm: Norm, epsilon: float, name: str) -> str:
        inputs = [x, skip, self.constant(f"{name}.weight", norm.weight), self.constant(f"{name}.bias", norm.bias), bias]
        return self.runtime_node("SkipLayerNormalization", inputs, name, epsilon=epsilon)

    def attention_bias(self) -> tuple[str, str]:
        """0 where a token is, -10000 where padding is: [batch, 1, tokens, tokens], and [batch, 1, 1, tokens] for CLS.

        As attention_bias, not as key_padding_mask, which the WebGPU kernel refuses.
        """
        mask = self.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        away = self.node("Sub", [mask, self.constant("one", 1)], "mask.minus_one")
        row = self.node("Mul", [away, self.constant("far", 1e4)], "mask.bias")
        row = self.node("Unsqueeze", [row, self.constant("axes_1_2", [1, 2], np.int64)], "attention_bias.cls")
        shape = self.node("Shape", ["input_ids"], "shape")
        batch = self.node("Gather", [shape, self.constant("at_0", [0], np.int64)], "batch")
        tokens = self.node("Gather", [shape, self.constant("at_1", [1], np.int64)], "tokens")
        one = self.constant("one_head", [1], np.int64)
        full = self.node("Concat", [batch, one, tokens, tokens], "attention_bias.shape", axis=0)
        return self.node("Expand", [row, full], "attention_bias"), row


def gpu_graph(model: Int8Model, shards: Shards) -> onnx.ModelProto:
    config, graph = model.config, GpuGraph(shards)
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon, last = config["layer_norm_eps"], len(model.layers) - 1

    bias_all, bias_cls = graph.attention_bias()
    words = graph.dequantized_rows("word", model.word.scale, "input_ids")
    types = graph.node("Gather", [graph.constant("token_type", model.token_type), "token_type_ids"], "token_type.rows")
    x = graph.node("Add", [words, types], "words_and_types")
    x = graph.node("Add", [x, graph.positions(model, "tokens")], "embedding_sum")
    x = graph.norm(x, model.embedding_norm, epsilon, "embedding_norm")

    for index, (layer, norms) in enumerate(zip(model.layers, model.norms)):
        name = f"layer.{index}"
        key = graph.product(x, layer["key"], index, "key")
        value = graph.product(x, layer["value"], index, "value")
        if index == last:
            # Only the CLS position leaves the last layer, and only keys and values need the others.
            x = graph.node("Gather", [x, graph.constant("at_cls", [0], np.int64)], "cls", axis=1)
        query = graph.product(x, layer["query"], index, "query")
        parts = ("query", "key", "value")
        bias = graph.constant(f"{name}.attention.bias", np.concatenate([layer[part].bias for part in parts]))
        inputs = [query, key, value, bias, "", bias_cls if index == last else bias_all]
        context = graph.runtime_node("MultiHeadAttention", inputs, f"{name}.context", num_heads=heads)

        attended = graph.product(context, layer["attention_output"], index, "attention_output")
        bias = graph.bias(layer["attention_output"], index, "attention_output")
        x = graph.add_norm(attended, x, bias, norms[0], epsilon, f"{name}.attention_norm")
        widened = graph.product(x, layer["intermediate"], index, "intermediate")
        bias = graph.bias(layer["intermediate"], index, "intermediate")
        widened = graph.runtime_node("BiasGelu", [widened, bias], f"{name}.gelu")
        narrowed = graph.product(widened, layer["output"], index, "output")
        bias = graph.bias(layer["output"], index, "output")
        x = graph.add_norm(narrowed, x, bias, norms[1], epsilon, f"{name}.output_norm")
    return graph.finish("gpu", ["input_ids", "attention_mask", "token_type_ids"], x, hidden)
