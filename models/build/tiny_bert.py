"""Makes a tiny random BERT as the Hugging Face hub lays out sentence-transformers models with ONNX weights, for tests.

Two layers, width 32, mean pooling, prompts for queries and passages. Its vectors mean nothing, but every file that a loader
reads is there, and expected.json holds the vectors that Python computes from them.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import string
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

SEED = 20
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """
a about after all also an and any are as at be because been before big bird but by can cat city cold could day
did do document dog down each end every far few find first fish for from garden get give go good had has have
he her here high him his home house how if in index into is it its just know last leave letter life like line
little long look made make man many map may me milk model moon more most much must my name new night no not
now number of off old on one open or other our out over page paper passage people place play query question
rain read river road run said same sea search see she should show side sleep small so some song star still
stone story such sun take text than that the their them then there these they thing think this time to tree
two under up use very walk want was water way we well were what when where which while who why will wind with
word work world would year you your
""".split()
ENDINGS = ["##ed", "##er", "##est", "##ing", "##ion", "##less", "##ly", "##ness", "##ment", "##able", "##es"]
PROMPTS = {"query": "query: ", "passage": "passage: "}
EXPECTED_TEXTS = [
    ("passage", "The river walks under an old stone house."),
    ("query", "where do birds sleep"),
    ("passage", "Naïve CAFÉ no. 42 — 東 unseen?"),
    ("passage", "a long line " * 30),
]


def make_tokenizer() -> Tokenizer:
    characters = string.ascii_lowercase + string.digits
    vocabulary = [
        *SPECIAL,
        *string.punctuation,
        *characters,
        *(f"##{character}" for character in characters),
        *ENDINGS,
        *(word for word in WORDS if len(word) > 1),
    ]
    tokenizer = Tokenizer(
        WordPiece(
            {token: index for index, token in enumerate(vocabulary)}, unk_token="[UNK]", max_input_chars_per_word=100
        )
    )
    tokenizer.normalizer = BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    ends = [(token, vocabulary.index(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


class TinyBert:
    """Writes the float32 graph with standard operators only."""

    def __init__(self, vocabulary_size: int) -> None:
        self.random = np.random.default_rng(SEED)
        self.vocabulary_size = vocabulary_size
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []

    def value(self, name: str, array) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, name: str, *shape: int, spread: float, around: float = 0) -> str:
        return self.value(name, (around + spread * self.random.standard_normal(shape)).astype(np.float32))

    def node(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def dense(self, x: str, width_in: int, width_out: int, name: str) -> str:
        weight = self.weight(f"{name}.weight", width_in, width_out, spread=1.5 / math.sqrt(width_in))
        product = self.node("MatMul", [x, weight], f"{name}.product")
        return self.node("Add", [product, self.weight(f"{name}.bias", width_out, spread=0.1)], name)

    def norm(self, x: str, name: str) -> str:
        width = CONFIG["hidden_size"]
        inputs = [
            x,
            self.weight(f"{name}.weight", width, spread=0.1, around=1),
            self.weight(f"{name}.bias", width, spread=0.1),
        ]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=CONFIG["layer_norm_eps"])

    def gelu(self, x: str, name: str) -> str:
        erf = self.node("Erf", [self.node("Div", [x, "sqrt_2"], f"{name}.scaled")], f"{name}.erf")
        return self.node(
            "Mul",
            [self.node("Mul", [x, "half"], f"{name}.half"), self.node("Add", [erf, "one"], f"{name}.share")],
            name,
        )

    def attention(self, x: str, name: str) -> str:
        width = CONFIG["hidden_size"]
        turned = {}
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            split = self.node(
                "Reshape", [self.dense(x, width, width, f"{name}.{part}"), "by_head"], f"{name}.{part}.split"
            )
            turned[part] = self.node("Transpose", [split], f"{name}.{part}.turned", perm=order)
        scores = self.node("MatMul", [turned["query"], turned["key"]], f"{name}.products")
        scores = self.node("Div", [scores, "sqrt_head"], f"{name}.scores")
        scores = self.node("Add", [scores, "mask.bias"], f"{name}.masked")
        shares = self.node("Softmax", [scores], f"{name}.shares", axis=-1)
        context = self.node("MatMul", [shares, turned["value"]], f"{name}.context.split")
        context = self.node("Transpose", [context], f"{name}.context.turned", perm=[0, 2, 1, 3])
        context = self.node("Reshape", [context, "joined"], f"{name}.context")
        return self.dense(context, width, width, f"{name}.output")

    def model(self) -> onnx.ModelProto:
        width, heads, wide = CONFIG["hidden_size"], CONFIG["num_attention_heads"], CONFIG["intermediate_size"]
        constants = {"one": 1, "half": 0.5, "sqrt_2": math.sqrt(2), "sqrt_head": math.sqrt(width // heads), "far": -1e4}
        for name, number in constants.items():
            self.value(name, np.float32(number))
        self.value("by_head", np.array([0, 0, heads, width // heads], np.int64))
        self.value("joined", np.array([0, 0, width], np.int64))
        self.value("axis_0", np.array([0], np.int64))
        self.value("axes_1_2", np.array([1, 2], np.int64))

        mask = self.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        mask = self.node("Mul", [self.node("Sub", ["one", mask], "mask.padding"), "far"], "mask.rows")
        self.node("Unsqueeze", [mask, "axes_1_2"], "mask.bias")
        tables = [
            ("word", self.vocabulary_size, "input_ids"),
            ("token_type", CONFIG["type_vocab_size"], "token_type_ids"),
        ]
        rows = [
            self.node("Gather", [self.weight(name, size, width, spread=1), ids], f"{name}.rows")
            for name, size, ids in tables
        ]
        length = self.node("Shape", ["input_ids"], "length", start=1, end=2)
        table = self.weight("position", CONFIG["max_position_embeddings"], width, spread=1)
        positions = self.node("Slice", [table, "axis_0", length, "axis_0"], "position.rows")
        x = self.node("Add", [self.node("Add", rows, "words_and_types"), positions], "embeddings")
        x = self.norm(x, "embeddings.norm")
        for index in range(CONFIG["num_hidden_layers"]):
            name = f"layer.{index}"
            x = self.norm(self.node("Add", [self.attention(x, f"{name}.attention"), x], f"{name}.sum"), f"{name}.norm")
            hidden = self.gelu(self.dense(x, width, wide, f"{name}.intermediate"), f"{name}.gelu")
            x = self.node("Add", [self.dense(hidden, wide, width, f"{name}.output"), x], f"{name}.output.sum")
            last = index == CONFIG["num_hidden_layers"] - 1
            x = self.norm(x, "last_hidden_state" if last else f"{name}.output.norm")

        axes = ["batch_size", "sequence_length"]
        inputs = ("input_ids", "attention_mask", "token_type_ids")
        graph = helper.make_graph(
            self.nodes,
            "tiny-bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in inputs],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*axes, width])],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, producer_name="samevec", opset_imports=opsets, ir_version=8)


def write_json(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf8")


def write_configuration(folder: Path, vocabulary_size: int) -> None:
    length = CONFIG["max_position_embeddings"]
    pooling = {
        f"pooling_mode_{mode}": mode == "mean_tokens"
        for mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    }
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(folder / "config.json", CONFIG | {"vocab_size": vocabulary_size})
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": length,
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "mask_token": "[MASK]",
            "tokenize_chinese_chars": True,
            "strip_accents": None,
        },
    )
    write_json(
        folder / "modules.json",
        [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (path, kind) in enumerate(modules)
        ],
    )
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": CONFIG["hidden_size"]} | pooling)
    write_json(folder / "config_sentence_transformers.json", {"prompts": PROMPTS, "default_prompt_name": None})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})


def write_expected(folder: Path) -> None:
    """From the files as a loader finds them: tokenize, run, mean over the tokens, L2-normalize."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(CONFIG["max_position_embeddings"])
    session = ort.InferenceSession(str(folder / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"])
    rows = []
    for kind, text in EXPECTED_TEXTS:
        ids = tokenizer.encode(PROMPTS[kind] + text).ids
        row = np.array([ids], np.int64)
        feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        mean = session.run(None, feeds)[0][0].mean(axis=0)
        vector = (mean / np.linalg.norm(mean)).astype("<f4")
        rows.append(
            {"inputType": kind, "text": text, "token_ids": ids, "vector": base64.b64encode(vector.tobytes()).decode("ascii")}
        )
    write_json(folder / "expected.json", {"rows": rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write")
    folder = parser.parse_args().out
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_configuration(folder, tokenizer.get_vocab_size())
    onnx.save(TinyBert(tokenizer.get_vocab_size()).model(), folder / "onnx" / "model.onnx")
    write_expected(folder)


if __name__ == "__main__":
    main()
