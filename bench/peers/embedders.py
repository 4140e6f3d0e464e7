"""The peers, each as its documentation shows it, on the model that `convert.py` laid out for it. Modules are imported where they
are used: one that is only loaded counts in peak memory."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np

Embed = Callable[[list[str]], Sequence[np.ndarray] | np.ndarray]
"""Texts to vectors of 384 dimensions, in order."""


class EmbedderSettings(TypedDict):
    """Which peer, and how it is set."""

    library: Literal["sentence-transformers", "fastembed", "infinity"]
    precision: Literal["int8", "float32"]
    batch: int
    """Texts in one batch."""
    threads: int
    """Threads of each process."""
    processes: int
    """More than one: the peer's own way to share the texts among processes."""
    models: str
    """The folder that `convert.py` wrote."""


def open_embedder(settings: EmbedderSettings) -> Embed:
    """Loads a peer. It returns when the model is ready."""
    match settings["library"]:
        case "sentence-transformers":
            return open_sentence_transformers(settings)
        case "fastembed":
            return open_fastembed(settings)
        case "infinity":
            return open_infinity(settings)


def open_sentence_transformers(settings: EmbedderSettings) -> Embed:
    """Float32 by torch, int8 by the ONNX backend. `encode` sorts texts by length by itself."""
    from sentence_transformers import SentenceTransformer

    threads = settings["threads"]
    if settings["precision"] == "float32":
        import torch

        torch.set_num_threads(threads)
        model = SentenceTransformer(str(Path(settings["models"], "float32")), device="cpu")
    else:
        from onnxruntime import SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = threads
        model = SentenceTransformer(
            str(Path(settings["models"], "int8")),
            device="cpu",
            backend="onnx",
            model_kwargs={"provider": "CPUExecutionProvider", "file_name": "onnx/model_quantized.onnx", "session_options": options},
        )
    return lambda texts: model.encode(texts, batch_size=settings["batch"], show_progress_bar=False)


def open_fastembed(settings: EmbedderSettings) -> Embed:
    """On the published graph, in the place of the one that it would fetch."""
    from fastembed import TextEmbedding

    folder = Path(settings["models"], f"fastembed-{settings['precision']}")
    model = TextEmbedding("BAAI/bge-small-en-v1.5", specific_model_path=str(folder), threads=settings["threads"])
    parallel = settings["processes"] if settings["processes"] > 1 else None
    return lambda texts: list(model.embed(texts, batch_size=settings["batch"], parallel=parallel))


def open_infinity(settings: EmbedderSettings) -> Embed:
    """Its engine without its server: float32 by torch."""
    import torch
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    torch.set_num_threads(settings["threads"])
    engine = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=str(Path(settings["models"], "float32")),
            engine="torch",
            device="cpu",
            dtype="float32",
            batch_size=settings["batch"],
            bettertransformer=False,
            model_warmup=False,
        )
    )
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.astart())

    def embed(texts: list[str]) -> Sequence[np.ndarray]:
        vectors, _tokens = loop.run_until_complete(engine.embed(sentences=texts))
        return vectors

    return embed
