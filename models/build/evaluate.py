"""Measures built graphs against the published ones: golden vectors, Cranfield retrieval, speed. Nothing is tuned by it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from manifest import GRAPHS, PROMPTS, TOKENIZER
from reference import encode as encode_as_engine
from reference import read_model
from runtime import cpu_session, encode, gpu_session, load_tokenizer

SPEED_TEXTS = 40
SPEED_ROUNDS = 5


def evaluate(published: Path, built: Path, golden: Path, cranfield: Path) -> None:
    sessions = {
        "published int8": cpu_session(published / "onnx" / "model_quantized.onnx", exact=False),
        "cpu.onnx": cpu_session(built / GRAPHS["native"], exact=False),
        "cpu.onnx, x64quantprecision": cpu_session(built / GRAPHS["native"], exact=True),
        "gpu.onnx on the CPU": gpu_session(built / GRAPHS["webgpu"]),
    }
    max_tokens = json.loads((built / "manifest.json").read_text("utf8"))["maxTokens"]
    tokenizer = load_tokenizer(built / TOKENIZER["model"], max_tokens)
    documents = [tokenizer.encode(text).ids for text in read_documents(cranfield)]
    queries = [tokenizer.encode(PROMPTS["query"] + text).ids for text in read_queries(cranfield)]
    judgments = read_judgments(cranfield)
    rows = json.loads(golden.read_text("utf8"))["rows"]

    speed = relative_times(sessions, documents[:: len(documents) // SPEED_TEXTS][:SPEED_TEXTS])
    print("| graph | golden worst | golden mean | Cranfield nDCG@10 | time for abstracts, published int8 = 1 |")
    print("|---|---|---|---|---|")
    for name, session in sessions.items():
        cosines = golden_cosines(partial(encode, session), rows)
        gain = ndcg(session, documents, queries, judgments)
        print(f"| {name} | {min(cosines):.4f} | {np.mean(cosines):.4f} | {gain:.4f} | {speed[name]:.2f} |", flush=True)
    cosines = golden_cosines(partial(encode_as_engine, read_model(built)), rows)
    print(f"| engine, as reference.py defines it | {min(cosines):.4f} | {np.mean(cosines):.4f} | | |")


def golden_cosines(encode_ids: Callable[[list[int]], np.ndarray], rows: list[dict]) -> list[float]:
    return [
        float(encode_ids(row["token_ids"]) @ np.frombuffer(base64.b64decode(row["vector"]), "<f4")) for row in rows
    ]


def relative_times(sessions: dict[str, ort.InferenceSession], texts: list[list[int]]) -> dict[str, float]:
    """Each text's best time over some rounds, added up, relative to the first session.

    Sessions take turns text by text, so that whatever else the machine is doing disturbs all of them alike.
    """
    best = {name: np.full(len(texts), np.inf) for name in sessions}
    for _ in range(SPEED_ROUNDS):
        for index, ids in enumerate(texts):
            for name, session in sessions.items():
                start = time.perf_counter()
                encode(session, ids)
                best[name][index] = min(best[name][index], time.perf_counter() - start)
    first = next(iter(best.values())).sum()
    return {name: times.sum() / first for name, times in best.items()}


# ---- Cranfield --------------------------------------------------------------------------------------------------------------


def read_records(file: Path) -> list[dict[str, str]]:
    """Records begin with `.I <number>`; within one, `.T`, `.W` and others stand before their text."""
    records = []
    for record in re.split(r"^\.I \d+\s*\n", file.read_text("utf8"), flags=re.MULTILINE)[1:]:
        parts = re.split(r"^\.([A-Z])\s*\n", record, flags=re.MULTILINE)
        records.append({field: " ".join(text.split()) for field, text in zip(parts[1::2], parts[2::2])})
    return records


def read_documents(folder: Path) -> list[str]:
    return [f"{record['T']} {record['W']}".strip() for record in read_records(folder / "cran.all.1400")]


def read_queries(folder: Path) -> list[str]:
    return [record["W"] for record in read_records(folder / "cran.qry")]


def read_judgments(folder: Path) -> dict[int, dict[int, int]]:
    """{query: {document: relevance}}, both counted from 0.

    In the file 1 is the most relevant, which is 4 here; 4 and -1 are the least, which is 1 here.
    """
    judgments: dict[int, dict[int, int]] = {}
    for line in (folder / "cranqrel").read_text("utf8").splitlines():
        query, document, code = (int(number) for number in line.split())
        relevance = 1 if code == -1 else 5 - code
        judgments.setdefault(query - 1, {})[document - 1] = relevance
    return judgments


def ndcg(
    session: ort.InferenceSession,
    documents: list[list[int]],
    queries: list[list[int]],
    judgments: dict[int, dict[int, int]],
    depth: int = 10,
) -> float:
    document_vectors = np.array([encode(session, ids) for ids in documents])
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    scores = []
    for query, relevant in judgments.items():
        similarities = document_vectors @ encode(session, queries[query])
        found = np.argsort(-similarities, kind="stable")[:depth]
        gains = [2 ** relevant.get(int(document), 0) - 1 for document in found]
        ideal = sorted((2**relevance - 1 for relevance in relevant.values()), reverse=True)[:depth]
        scores.append(np.dot(gains, discounts[: len(gains)]) / np.dot(ideal, discounts[: len(ideal)]))
    return float(np.mean(scores))
