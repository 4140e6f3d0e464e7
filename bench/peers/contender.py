"""The process of one Python peer: the counterpart of `bench/encode-child.ts`, with the same messages and answers."""

import base64
import resource
import time
from typing import TypedDict

import numpy as np
import psutil
from channel import Channel
from embedders import Embed, EmbedderSettings, open_embedder
from process_tree import watch_children


class Job(TypedDict):
    """What is asked for. The settings are those of the first job of a process."""

    settings: EmbedderSettings
    warmUp: list[str]
    """Embedded before anything is measured."""
    texts: list[str]


def machine_cpu_seconds() -> float:
    """What all processes of the machine have used since it started."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "irq", 0.0)


def peak_bytes() -> int:
    """This process's largest resident set so far. Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(embed: Embed, texts: list[str], own_processes: bool) -> dict[str, object]:
    """Embeds the texts, and tells what that took. Processes of the peer's own count in CPU time and peak memory."""
    with watch_children(own_processes) as children:
        machine_before = machine_cpu_seconds()
        cpu_before = time.process_time()
        start = time.perf_counter()
        vectors = embed(texts)
        seconds = time.perf_counter() - start
        cpu_own = time.process_time() - cpu_before
        machine = machine_cpu_seconds() - machine_before
    cpu_seconds = cpu_own + children.cpu_seconds
    return {
        "outcome": "measured",
        "vectors": base64.b64encode(np.asarray(vectors, dtype="<f4").tobytes()).decode(),
        "seconds": seconds,
        "cpuSeconds": cpu_seconds,
        "coresElsewhere": max(0.0, (machine - cpu_seconds) / seconds),
        "peakBytes": peak_bytes() + children.peak_bytes,
        "loopDelay": None,
    }


def main() -> None:
    """Answers each job in turn; the first one opens the peer."""
    channel = Channel()
    embed: Embed | None = None
    for job in channel:
        settings: EmbedderSettings = job["settings"]
        if embed is None:
            embed = open_embedder(settings)
            embed(job["warmUp"])
        channel.send(measure(embed, job["texts"], own_processes=settings["processes"] > 1))


if __name__ == "__main__":
    main()
