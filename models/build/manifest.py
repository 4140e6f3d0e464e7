"""The manifest of a built model: what its files are, how to use them, and how a device proves that it computes them right."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from engine import ENGINE, Architecture, architecture_of
from reference import encode as encode_as_engine
from reference import read_engine
from runtime import cpu_session, encode, gpu_session, load_tokenizer

GRAPHS = {"native": "cpu.onnx", "webgpu": "gpu.onnx"}
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
# Not for cpu.onnx. WebGPU runs in blocks of 32 tokens: a device may be right on a block alone and wrong on two. 64 tokens,
# so that there is no padding in either.
SELF_TEST_LONG_TEXTS = [
    (
        "passage",
        "Wet clay is thrown on the wheel, dried for a week on a shelf out of the sun, and fired twice: once to make it hard, "
        "and once more, at a higher heat, to melt the glaze. A pot that is still damp inside will burst, and take its neighbours "
        "with it.",
    ),
]
# How a cosine maps to a relevance: see shared/index/relevance.ts. Fitted to 42 queries that a built-in document of the page
# answers and 21 that none does (tests/fixtures/relevance.json). A relevance of 0.5 keeps 76 % of the answers, and returns nothing
# for 86 % of the other queries. It decides about no vector, so it is not part of the fingerprint.
RELEVANCE = {"center": 0.155, "slope": 42, "background": 0.45}

# The WASM engine has no bound: its vectors are these, to the bit.
SELF_TEST_MIN_COSINE = {"native": 0.9985, "webgpu": 0.999}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(architecture: Architecture, sha256: dict[str, str], max_tokens: int, engine_vectors: list[str]) -> str:
    """What decides about a vector, hashed: vectors of different fingerprints must not be compared.

    The engine's vectors of the self-test stand for its arithmetic, which is in no file.
    """
    subject = {
        "architecture": asdict(architecture),
        "files": sha256,
        "maxTokens": max_tokens,
        "pooling": POOLING,
        "prompts": PROMPTS,
        "selfTest": engine_vectors,
    }
    text = json.dumps(subject, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def graph_entry(folder: Path, file: str) -> dict:
    inputs = onnx.load(folder / file, load_external_data=False).graph.input
    return {"file": file, "inputs": [entry.name for entry in inputs]}


def self_test_vectors(
    folder: Path, encode_ids: Callable[[list[int]], np.ndarray], max_tokens: int, texts: list[tuple[str, str]]
) -> list[np.ndarray]:
    tokenizer = load_tokenizer(folder / TOKENIZER["model"], max_tokens)
    return [encode_ids(tokenizer.encode(PROMPTS[kind] + text).ids) for kind, text in texts]


def self_test(folder: Path, architecture: Architecture, max_tokens: int, weights: list[str]) -> dict:
    engine = read_engine(folder, architecture, max_tokens, POOLING, weights)
    native = cpu_session(folder / GRAPHS["native"], exact=True)
    webgpu = gpu_session(folder / GRAPHS["webgpu"])
    all_texts = SELF_TEST_TEXTS + SELF_TEST_LONG_TEXTS
    devices = {
        "wasm": (partial(encode_as_engine, engine), all_texts),
        "native": (partial(encode, native), SELF_TEST_TEXTS),
        "webgpu": (partial(encode, webgpu), all_texts),
    }
    entries = [{"inputType": kind, "text": text} for kind, text in all_texts]
    for device, (encode_ids, texts) in devices.items():
        # The long texts come last: zip leaves them without a vector of cpu.onnx.
        for entry, vector in zip(entries, self_test_vectors(folder, encode_ids, max_tokens, texts)):
            entry[device] = to_base64(vector)
    return {"minCosine": SELF_TEST_MIN_COSINE, "texts": entries}


def write_self_test_vectors(folder: Path, file: Path) -> None:
    """The int8 vectors of the self-test texts as this processor computes them by default, saturated or not."""
    manifest = json.loads((folder / "manifest.json").read_text("utf8"))
    session = cpu_session(folder / GRAPHS["native"], exact=False)
    vectors = self_test_vectors(folder, partial(encode, session), manifest["maxTokens"], SELF_TEST_TEXTS)
    rows = [
        {"inputType": kind, "text": text, "vector": to_base64(vector)}
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
        exact = np.frombuffer(base64.b64decode(entry["native"]), "<f4")
        print(f"cosine to the exact vector {row @ exact:.5f}  {entry['text']}")


def to_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def write_manifest(folder: Path, name: str, source: str, weights: list[str], config: dict) -> None:
    max_tokens = config["max_position_embeddings"]
    architecture = architecture_of(config)
    names = sorted([*weights, ENGINE, *GRAPHS.values(), *TOKENIZER.values()])
    sha256 = {file: digest(folder / file) for file in names}
    proof = self_test(folder, architecture, max_tokens, weights)
    engine_vectors = [entry["wasm"] for entry in proof["texts"]]
    manifest = {
        "id": name,
        "source": source,
        "language": "en",
        "fingerprint": fingerprint(architecture, sha256, max_tokens, engine_vectors),
        "dimensions": config["hidden_size"],
        "maxTokens": max_tokens,
        "pooling": POOLING,
        "prompts": PROMPTS,
        "relevance": RELEVANCE,
        "architecture": asdict(architecture),
        "devices": {"wasm": {"file": ENGINE}}
        | {device: graph_entry(folder, file) for device, file in GRAPHS.items()},
        "weights": weights,
        "tokenizer": TOKENIZER,
        "files": {file: {"bytes": (folder / file).stat().st_size, "sha256": sha256[file]} for file in names},
        "selfTest": proof,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, "utf8")
