"""Makes tests/fixtures/engine/tiny.json: what the engine must compute from a model of two layers that a test makes for itself.

The model's weights mean nothing. They come from a generator that any language can repeat exactly:

    state = (state * 1664525 + 1013904223) mod 2^32, from the seed on, once before each draw

    an int8:    (state >> 24) mod 255 - 127
    a float32:  base + ((state >> 16) - 32768) * step, exact in float32

One generator fills the weight stream and, going on where that ended, the floats, both in the order of engine.py. A float's
base and step belong to the ending of its tensor's name.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from math import prod
from pathlib import Path

import numpy as np

from engine import Architecture, float_stream, weight_stream
from reference import make_engine, pool

ARCHITECTURE = Architecture(layers=2, hidden=384, heads=12, intermediate=1536, vocabulary=64)
MAX_TOKENS = 512
MULTIPLIER, INCREMENT, SEED = 1664525, 1013904223, 20
LENGTHS = (1, 2, 3, 5, 8, 9, 17, 40)
# By the ending of a name: base and step. The magnitudes are about those of a real model.
RANGES = {
    "norm.weight": (1, 2**-18),
    "token_type.first": (0, 2**-18),
    "bias": (0, 2**-18),
    "input_scale": (1, 2**-17),
    "weight_scale": (2**-11, 2**-28),
    "position.scale": (2**-8, 2**-25),
    "word.scale": (2**-6, 2**-23),
}


def generator() -> Iterator[int]:
    state = SEED
    while True:
        state = (state * MULTIPLIER + INCREMENT) % 2**32
        yield state


def make_weights(states: Iterator[int]) -> np.ndarray:
    count = sum(prod(shape) for shape in weight_stream(ARCHITECTURE, MAX_TOKENS).values())
    drawn = np.fromiter(states, np.uint32, count)
    return (((drawn >> 24) % 255).astype(np.int16) - 127).astype(np.int8)


def make_floats(states: Iterator[int]) -> np.ndarray:
    tensors = []
    for name, (count,) in float_stream(ARCHITECTURE, MAX_TOKENS).items():
        base, step = next(numbers for ending, numbers in RANGES.items() if name.endswith(ending))
        drawn = np.fromiter(states, np.uint32, count)
        exact = base + ((drawn >> 16).astype(np.float64) - 32768) * step
        tensors.append(exact.astype(np.float32))
        assert (tensors[-1] == exact).all()
    return np.concatenate(tensors)


def make_ids(states: Iterator[int]) -> list[list[int]]:
    return [[next(states) >> 26 for _ in range(length)] for length in LENGTHS]


def to_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="JSON to write")
    file = parser.parse_args().file
    states = generator()
    weights, floats = make_weights(states), make_floats(states)
    engines = {pooling: make_engine(ARCHITECTURE, MAX_TOKENS, pooling, weights, floats) for pooling in ("cls", "mean")}
    fixture = {
        "about": (
            "Vectors of token ids, pooled, not normalized: base64 of little-endian float32, to the bit. Of the model that "
            "models/build/tiny_engine.py describes. That script wrote this file."
        ),
        "architecture": asdict(ARCHITECTURE),
        "maxTokens": MAX_TOKENS,
        "generator": {"multiplier": MULTIPLIER, "increment": INCREMENT, "seed": SEED},
        "floats": {ending: {"base": base, "step": step} for ending, (base, step) in RANGES.items()},
        "rows": [
            {"ids": ids} | {pooling: to_base64(pool(engine, ids)) for pooling, engine in engines.items()}
            for ids in make_ids(states)
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(fixture, indent=2) + "\n", "utf8")


if __name__ == "__main__":
    main()
