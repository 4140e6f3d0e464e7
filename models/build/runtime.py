"""Runs a graph on one text, natively: one thread, one text per run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


def load_tokenizer(file: Path, max_tokens: int) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def session(file: Path, entries: dict[str, str] | None = None, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def cpu_session(file: Path, exact: bool) -> ort.InferenceSession:
    """exact: int8 products that cannot saturate on any x86 processor; slower where VNNI is there."""
    return session(file, {"session.x64quantprecision": "1"} if exact else None)


def gpu_session(file: Path) -> ort.InferenceSession:
    """The GPU graph's float32 arithmetic, natively: weights dequantized at load."""
    return session(file, {"session.disable_quant_qdq": "1"})


def run(graph: ort.InferenceSession, ids: list[int]) -> np.ndarray:
    """The CLS position's output. Graphs of ours give it alone; published ones give every position."""
    row = np.array([ids], np.int64)
    feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    wanted = {entry.name for entry in graph.get_inputs()}
    (output,) = graph.run(None, {name: value for name, value in feeds.items() if name in wanted})
    return output[0, 0] if output.ndim == 3 else output[0]


def encode(graph: ort.InferenceSession, ids: list[int]) -> np.ndarray:
    pooled = run(graph, ids)
    return pooled / np.linalg.norm(pooled)
