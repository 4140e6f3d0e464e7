"""The manifest of a built model: what its files are, how to use them, and how a device proves that it computes them right."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from runtime import cpu_session, encode, gpu_session, load_tokenizer

GRAPHS = {"cpu": "cpu.onnx", "gpu": "gpu.onnx"}
TOKENIZER = {"model": "tokenizer.json", "config": "tokenizer_config.json"}
POOLING = "cls"
PROMPTS = {"query": "Represent this sentence for searching relevant passages: ", "passage": ""}

# Chosen out of 70 for how far x86 processors without VNNI move them, whose u8 x s8 products saturate: to a cosine of 0.9971,
# 0.9980 and 0.9978, measured. Where the arithmetic is exact, only the rounding of floats differs, and the vectors are
# at 0.9996 or more. The bound lies between.
SELF_TEST_TEXTS = [
    ("passage", "Lemon juice keeps cut apples pale."),
    ("passage", "The newcomers were lent two veils and a smoker."),
    ("query", "remove rust from tools"),
]
# For the gpu graph alone, which runs in blocks of 32 tokens: a device may be right on a block alone and wrong on two.
# 64 tokens, so that there is no padding in either.
SELF_TEST_LONG_TEXTS = [
    (
        "passage",
        "Wet clay is thrown on the wheel, dried for a week on a shelf out of the sun, and fired twice: once to make it hard, "
        "and once more, at a higher heat, to melt the glaze. A pot that is still damp inside will burst, and take its neighbours "
        "with it.",
    ),
]
SELF_TEST_MIN_COSINE = {"cpu": 0.9985, "gpu": 0.999}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(sha256: dict[str, str], max_tokens: int) -> str:
    """What decides about a vector, hashed: vectors of different fingerprints must not be compared."""
    subject = {"files": sha256, "maxTokens": max_tokens, "pooling": POOLING, "prompts": PROMPTS}
    text = json.dumps(subject, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def graph_entry(folder: Path, file: str) -> dict:
    inputs = onnx.load(folder / file, load_external_data=False).graph.input
    return {"file": file, "inputs": [entry.name for entry in inputs]}


def self_test_vectors(
    folder: Path, session: ort.InferenceSession, max_tokens: int, texts: list[tuple[str, str]]
) -> list[np.ndarray]:
    tokenizer = load_tokenizer(folder / TOKENIZER["model"], max_tokens)
    return [encode(session, tokenizer.encode(PROMPTS[kind] + text).ids) for kind, text in texts]


def self_test(folder: Path, max_tokens: int) -> dict:
    sessions = {
        "cpu": cpu_session(folder / GRAPHS["cpu"], exact=True),
        "gpu": gpu_session(folder / GRAPHS["gpu"]),
    }
    texts = {"cpu": SELF_TEST_TEXTS, "gpu": SELF_TEST_TEXTS + SELF_TEST_LONG_TEXTS}
    entries = [{"kind": kind, "text": text} for kind, text in texts["gpu"]]
    for device, session in sessions.items():
        # The long texts come last: zip leaves them without a vector of the cpu graph.
        for entry, vector in zip(entries, self_test_vectors(folder, session, max_tokens, texts[device])):
            entry[device] = to_base64(vector)
    return {"minCosine": SELF_TEST_MIN_COSINE, "texts": entries}


def write_self_test_vectors(folder: Path, file: Path) -> None:
    """The int8 vectors of the self-test texts as this processor computes them by default, saturated or not."""
    manifest = json.loads((folder / "manifest.json").read_text("utf8"))
    session = cpu_session(folder / GRAPHS["cpu"], exact=False)
    vectors = self_test_vectors(folder, session, manifest["maxTokens"], SELF_TEST_TEXTS)
    rows = [
        {"kind": kind, "text": text, "vector": to_base64(vector)}
        for (kind, text), vector in zip(SELF_TEST_TEXTS, vectors)
    ]
    about = (
        "The self-test texts of models/bge-small-en-v1.5 as x86 processors with AVX2 but no VNNI encode them, where u8 x s8 "
        "products saturate: base64 of little-endian float32, L2-normalized. Made by `qemu-x86_64 -cpu Haswell python "
        "models/build/build.py vectors`, onnxruntime {version}, without session.x64quantprecision, of the model with the "
        "fingerprint {fingerprint}."
    ).format(version=ort.__version__, fingerprint=manifest["fingerprint"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"about": about, "rows": rows}, indent=2, ensure_ascii=False) + "\n", "utf8")
    for row, entry in zip(vectors, manifest["selfTest"]["texts"]):
        exact = np.frombuffer(base64.b64decode(entry["cpu"]), "<f4")
        print(f"cosine to the exact vector {row @ exact:.5f}  {entry['text']}")


def to_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def write_manifest(folder: Path, name: str, source: str, weights: list[str], config: dict) -> None:
    max_tokens = config["max_position_embeddings"]
    names = sorted([*weights, *GRAPHS.values(), *TOKENIZER.values()])
    sha256 = {file: digest(folder / file) for file in names}
    manifest = {
        "id": name,
        "source": source,
        "language": "en",
        "fingerprint": fingerprint(sha256, max_tokens),
        "dimensions": config["hidden_size"],
        "maxTokens": max_tokens,
        "pooling": POOLING,
        "prompts": PROMPTS,
        "graphs": {device: graph_entry(folder, file) for device, file in GRAPHS.items()},
        "weights": weights,
        "tokenizer": TOKENIZER,
        "files": {file: {"bytes": (folder / file).stat().st_size, "sha256": sha256[file]} for file in names},
        "selfTest": self_test(folder, max_tokens),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, "utf8")
