"""Makes a Samevec model folder out of a published one, and measures it. See README.md."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import onnx

from checkpoint import read_checkpoint, watch_activations
from graphs import cpu_graph, gpu_graph
from engine import write_engine
from evaluate import evaluate
from manifest import GRAPHS, TOKENIZER, write_manifest, write_self_test_vectors
from quantize import pack, quantize

# From 0.5 to 0.7 the int8 vectors hardly differ on documents that the calibration had not seen (mean cosine 0.9995 to
# 0.9996, best at 0.65 and 0.7); below 0.65 they are a little worse, above it the float32 ones.
ALPHA = 0.65


def read_calibration(file: Path) -> list[str]:
    """Every document of the example library, title first, as the page indexes them."""
    documents = json.loads(file.read_text("utf8"))["documents"]
    return [f"{document['title']}\n{document['text']}" for document in documents]


def build(published: Path, calibration: Path, out: Path, name: str, source: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = read_checkpoint(published)
    activations = watch_activations(published, checkpoint, read_calibration(calibration))
    model = quantize(checkpoint, activations, ALPHA)
    shards = pack(model)
    weights = shards.write(out)
    write_engine(model, shards, out)
    for device, make in (("native", cpu_graph), ("webgpu", gpu_graph)):
        onnx.save(make(model, shards), out / GRAPHS[device])
    for file in TOKENIZER.values():
        shutil.copyfile(published / file, out / file)
    write_manifest(out, name, source, weights, checkpoint.config)
    for file in sorted(out.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("build", help="write the weights, the graphs and the manifest")
    command.add_argument(
        "published", type=Path, help="folder of the published model: onnx/model.onnx, config, tokenizer"
    )
    command.add_argument("calibration", type=Path, help='JSON: {"documents": [{"title", "text"}, ...]}')
    command.add_argument("out", type=Path, help="folder to write")
    command.add_argument("--name", default="bge-small-en-v1.5", help="id in the manifest")
    command.add_argument("--source", default="BAAI/bge-small-en-v1.5", help="where the published model is from")
    command.set_defaults(run=build)

    command = commands.add_parser("evaluate", help="print how near and how fast the built graphs are")
    command.add_argument("published", type=Path, help="folder of the published model, with onnx/model_quantized.onnx")
    command.add_argument("built", type=Path, help="folder that `build` wrote")
    command.add_argument("golden", type=Path, help="golden vectors: JSON with rows of token_ids and base64 vectors")
    command.add_argument("cranfield", type=Path, help="folder of the Cranfield collection")
    command.set_defaults(run=evaluate)

    command = commands.add_parser("vectors", help="write the self-test's int8 vectors as this processor computes them")
    command.add_argument("folder", type=Path, help="folder that `build` wrote")
    command.add_argument("file", type=Path, help="JSON to write")
    command.set_defaults(run=write_self_test_vectors)

    arguments = vars(parser.parse_args())
    arguments.pop("run")(**arguments)


if __name__ == "__main__":
    main()
