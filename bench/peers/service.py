"""An embedding service as one writes it with FastAPI: sentence-transformers on another thread, behind a lock.

It has the paths and bodies of ours, `POST /embed` and `GET /health`, runs on the default settings of all that it is made of, and
answers the messages of `bench/service-child.ts`.
"""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import uvicorn
from channel import Channel
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

TIMER = 0.001


class EmbedRequest(BaseModel):
    """The texts of one request."""

    inputs: list[str]


def create_app(model: SentenceTransformer) -> FastAPI:
    """The service. One request is embedded at a time, as all share the model."""
    app = FastAPI()
    lock = asyncio.Lock()

    @app.post("/embed")
    async def embed(request: EmbedRequest) -> list[list[float]]:
        async with lock:
            vectors = await asyncio.to_thread(model.encode, request.inputs, show_progress_bar=False)
        return vectors.tolist()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


class LoopWatch:
    """How far apart the turns of a timer of 1 ms come on the event loop."""

    def __init__(self) -> None:
        self._intervals: list[float] = []

    async def run(self) -> None:
        """Watches until it is cancelled."""
        before = time.perf_counter()
        while True:
            await asyncio.sleep(TIMER)
            now = time.perf_counter()
            self._intervals.append((now - before) * 1e3)
            before = now

    def take(self) -> dict[str, float]:
        """Percentiles in ms since the last time that it was asked."""
        intervals, self._intervals = self._intervals, []
        p50, p99 = np.percentile(intervals, [50, 99])
        return {"p50": float(p50), "p99": float(p99), "max": max(intervals)}


async def serve(model: SentenceTransformer) -> tuple[uvicorn.Server, asyncio.Task[None], str]:
    """Serves on a free port of 127.0.0.1, and tells where."""
    server = uvicorn.Server(uvicorn.Config(create_app(model), host="127.0.0.1", port=0, log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    return server, task, f"http://{host}:{port}"


def report(watch: LoopWatch) -> dict[str, object]:
    """What was seen since the last report."""
    return {
        "loopDelay": watch.take(),
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "rssBytes": psutil.Process().memory_info().rss,
    }


async def main() -> None:
    """Starts the service when it is told to, and reports until nobody asks any more."""
    channel = Channel()
    messages = iter(channel)
    watch = LoopWatch()
    watching = asyncio.create_task(watch.run())
    server: uvicorn.Server | None = None
    serving: asyncio.Task[None] | None = None
    while (message := await asyncio.to_thread(next, messages, None)) is not None:
        answer: dict[str, Any] = {}
        match message["do"]:
            case "start":
                torch.set_num_threads(message["threads"])
                model = SentenceTransformer(str(Path(message["models"], "float32")), device="cpu")
                server, serving, answer["url"] = await serve(model)
            case "report":
                answer = report(watch)
        channel.send(answer)
    watching.cancel()
    if server and serving:
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(main())
