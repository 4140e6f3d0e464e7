"""The process of one Python peer: answers the messages of `bench/encode.ts` on the IPC channel that Node gives to a fork."""

import asyncio
import base64
import json
import os
import resource
import socket
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

import numpy as np
import psutil

Embed = Callable[[list[str]], Sequence[np.ndarray] | np.ndarray]


class Settings(TypedDict):
    """Which peer, and how it is set."""

    library: Literal["sentence-transformers", "fastembed", "infinity"]
    batch: int
    threads: int
    models: str
    """The folder that `convert.py` wrote."""


class Job(TypedDict):
    """One message. The settings are those of the process's first job."""

    settings: Settings
    warmUp: list[str]
    """Embedded before anything is measured."""
    texts: list[str]


def open_sentence_transformers(settings: Settings) -> Embed:
    """Float32 by torch. `encode` sorts texts by length by itself."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(settings["threads"])
    model = SentenceTransformer(f"{settings['models']}/float32", device="cpu")
    return lambda texts: model.encode(texts, batch_size=settings["batch"], show_progress_bar=False)


def open_fastembed(settings: Settings) -> Embed:
    """The published int8 graph, in the place of the one that it would download."""
    from fastembed import TextEmbedding

    folder = f"{settings['models']}/fastembed"
    model = TextEmbedding("BAAI/bge-small-en-v1.5", specific_model_path=folder, threads=settings["threads"])
    return lambda texts: list(model.embed(texts, batch_size=settings["batch"]))


def open_infinity(settings: Settings) -> Embed:
    """Its engine without its server: float32 by torch."""
    import torch
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    torch.set_num_threads(settings["threads"])
    arguments = EngineArgs(
        model_name_or_path=f"{settings['models']}/float32",
        engine="torch",
        device="cpu",
        dtype="float32",
        batch_size=settings["batch"],
        bettertransformer=False,
        model_warmup=False,
    )
    engine = AsyncEmbeddingEngine.from_args(arguments)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.astart())
    return lambda texts: loop.run_until_complete(engine.embed(sentences=texts))[0]


# Each imports its own library only: a module that is merely loaded counts in peak memory.
OPENERS: dict[str, Callable[[Settings], Embed]] = {
    "sentence-transformers": open_sentence_transformers,
    "fastembed": open_fastembed,
    "infinity": open_infinity,
}


def machine_cpu_seconds() -> float:
    """Processor time of all processes since the machine's start."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "irq", 0.0)


def measure(embed: Embed, texts: list[str]) -> dict[str, object]:
    """Embeds the texts, and tells what that took."""
    machine_before = machine_cpu_seconds()
    cpu_before = time.process_time()
    start = time.perf_counter()
    vectors = embed(texts)
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_before
    elsewhere = machine_cpu_seconds() - machine_before - cpu_seconds
    matrix = np.asarray(vectors, dtype="<f4")
    figures = {
        "seconds": seconds,
        "cpuSeconds": cpu_seconds,
        "coresElsewhere": max(0.0, elsewhere / seconds),
        # Linux counts in KiB.
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loopDelay": None,
    }
    return {"vectors": base64.b64encode(matrix.tobytes()).decode(), "dimensions": matrix.shape[1], "figures": figures}


def main() -> None:
    """Answers lines of JSON until the channel closes. The first job opens the peer."""
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    embed: Embed | None = None
    for line in channel.makefile("r", encoding="utf-8"):
        job: Job = json.loads(line)
        if embed is None:
            embed = OPENERS[job["settings"]["library"]](job["settings"])
            embed(job["warmUp"])
        channel.sendall(json.dumps(measure(embed, job["texts"])).encode() + b"\n")


if __name__ == "__main__":
    main()
