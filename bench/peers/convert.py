"""Lays the published model out for each peer: `convert.py SOURCE OUT`.

SOURCE is a folder as the Hugging Face hub has it, or the name that it has there: `config.json`, `tokenizer.json`,
`tokenizer_config.json`, `onnx/model.onnx` (float32) and `onnx/model_quantized.onnx` (int8). sentence-transformers on torch wants weights, not a graph; they are read out of the float32
graph, bit by bit the same.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import torch
from huggingface_hub import snapshot_download
from onnx import numpy_helper
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

MAX_TOKENS = 512
DIMENSIONS = 384
SPECIAL_TOKENS = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")}
GRAPHS = {"int8": "onnx/model_quantized.onnx", "float32": "onnx/model.onnx"}


def weights_of(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """The weights of a BERT that was exported from transformers, by the names that they had there."""
    arrays = {initializer.name: numpy_helper.to_array(initializer) for initializer in graph.initializer}
    for node in graph.node:
        # The exporter folds the transposed weights of a linear layer into constants without a name: the name is the node's,
        # as in /encoder/layer.0/attention/self/query/MatMul.
        if node.op_type == "MatMul" and node.input[1] in arrays:
            layer = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            arrays[f"{layer}.weight"] = arrays[node.input[1]].T
    return {name: torch.tensor(array.copy()) for name, array in arrays.items()}


def bert_of(source: Path) -> BertModel:
    """The published model in float32. Raises `RuntimeError` where the graph lacks a weight, or has one of another shape."""
    config = json.loads((source / "config.json").read_text())
    model = BertModel(BertConfig(**{key: value for key, value in config.items() if key != "model_type"}), add_pooling_layer=False)
    weights = weights_of(onnx.load(source / GRAPHS["float32"]).graph)
    wanted = model.state_dict()
    # `strict`: every weight has to come from the graph.
    model.load_state_dict({name: weights[name] for name in wanted if name in weights}, strict=True)
    return model


def write_sentence_transformers(source: Path, out: Path) -> None:
    """`float32` with the weights, and `int8` with the published quantized graph in their place."""
    with tempfile.TemporaryDirectory() as bert:
        bert_of(source).save_pretrained(bert)
        PreTrainedTokenizerFast(
            tokenizer_file=str(source / "tokenizer.json"), model_max_length=MAX_TOKENS, **SPECIAL_TOKENS
        ).save_pretrained(bert)
        transformer = Transformer(bert, max_seq_length=MAX_TOKENS)
        pooling = Pooling(DIMENSIONS, pooling_mode="cls")
        SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(out / "float32"))
    shutil.copytree(out / "float32", out / "int8", ignore=shutil.ignore_patterns("model.safetensors"))
    (out / "int8/onnx").mkdir()
    shutil.copy(source / GRAPHS["int8"], out / "int8/onnx")


def write_fastembed(source: Path, out: Path) -> None:
    """The folder of each graph, under the name that fastembed looks for."""
    for precision, graph in GRAPHS.items():
        folder = out / f"fastembed-{precision}"
        folder.mkdir()
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(source / name, folder)
        (folder / "special_tokens_map.json").write_text(json.dumps(SPECIAL_TOKENS))
        shutil.copy(source / graph, folder / "model_optimized.onnx")


def main() -> None:
    """Writes beside OUT first, so that OUT is there only when it is whole."""
    name, out = sys.argv[1], Path(sys.argv[2])
    source = Path(name) if Path(name).is_dir() else Path(snapshot_download(name, allow_patterns=["*.json", *GRAPHS.values()]))
    unfinished = out.with_name(f"{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write_sentence_transformers(source, unfinished)
    write_fastembed(source, unfinished)
    shutil.rmtree(out, ignore_errors=True)
    unfinished.rename(out)


if __name__ == "__main__":
    main()
