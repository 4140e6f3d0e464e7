"""Lays the published model out for each peer: `convert.py SOURCE OUT`.

SOURCE is a folder in the hub's layout, or a name on the hub: `config.json`, `tokenizer.json`, `tokenizer_config.json`,
`onnx/model.onnx` (float32) and `onnx/model_quantized.onnx` (int8). torch needs weights: they are read out of the float32 graph.
"""

import json
import shutil
import sys
from pathlib import Path

import onnx
import torch
from huggingface_hub import snapshot_download
from onnx import numpy_helper
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
    """The published model in float32. Raises `ValueError` where the graph lacks a weight, `RuntimeError` where one has another shape."""
    config = json.loads((source / "config.json").read_text())
    model = BertModel(BertConfig(**{key: value for key, value in config.items() if key != "model_type"}))
    weights = weights_of(onnx.load(source / GRAPHS["float32"]).graph)
    wanted = model.state_dict()
    missing, _ = model.load_state_dict({name: weights[name] for name in wanted if name in weights}, strict=False)
    # The graph ends before BERT's own pooler, and sentence-transformers looks at what comes before it, too.
    if lost := [name for name in missing if not name.startswith("pooler.")]:
        raise ValueError(f"the graph has no {', '.join(lost)}")
    return model


def write_sentence_transformers(source: Path, folder: Path) -> None:
    """The weights in float32, laid out as on the hub."""
    bert_of(source).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"), model_max_length=MAX_TOKENS, **SPECIAL_TOKENS)
    tokenizer.save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    for path, _name in modules:
        (folder / path).mkdir(exist_ok=True)
    types = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(modules)
    ]
    pooling = {"word_embedding_dimension": DIMENSIONS, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "modules.json").write_text(json.dumps(types))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS, "do_lower_case": True}))
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))


def write_fastembed(source: Path, folder: Path) -> None:
    """The int8 graph, under the name that fastembed looks for."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    (folder / "special_tokens_map.json").write_text(json.dumps(SPECIAL_TOKENS))
    shutil.copy(source / GRAPHS["int8"], folder / "model_optimized.onnx")


def main() -> None:
    """Writes beside OUT first, so that OUT is there only when it is whole."""
    name, out = sys.argv[1], Path(sys.argv[2])
    source = Path(name) if Path(name).is_dir() else Path(snapshot_download(name, allow_patterns=["*.json", *GRAPHS.values()]))
    unfinished = out.with_name(f"{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write_sentence_transformers(source, unfinished / "float32")
    write_fastembed(source, unfinished / "fastembed")
    shutil.rmtree(out, ignore_errors=True)
    unfinished.rename(out)


if __name__ == "__main__":
    main()
