"""The ready models as ONNX, run by ONNX Runtime, beside torch: which is faster.

    python benchmarks/onnx_runtime.py [--threads 1] [--rounds 9]

Noisy photographs whose results have 512×512 pixels, and 1632×1224, are worked on by ``model(image)`` of the model that
is loaded with torch, of its ONNX file, and of the network alone as ONNX in torch's place; all three in the same tiles.
Each round runs each of them once, in turn. Printed: medians and minima of seconds, and of seconds of processor, which
say more on a busy machine with one thread; ratios are to torch's.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
from skimage import data

import cuello
from cuello.exporting.graph import Graph
from cuello.exporting.plain import example, plain_of
from cuello.inference.bundled import BUNDLED
from cuello.models.base import ImageNetwork
from cuello.runs.directory import environment

SIGMA = 25 / 255
SIZES = ((512, 512), (1224, 1632))


class Alone(ImageNetwork):
    """A network alone as ONNX in torch's place, all around it as ever."""

    def __init__(self, model: cuello.Model) -> None:
        super().__init__()
        network = model.network
        self.channels, self.stride, self.scale = network.channels, network.stride, network.scale
        self.receptive_field, self.conditioning = network.receptive_field, network.conditioning
        given: dict[str, torch.Tensor] = dict(zip(("image", "level"), example(model, 64, 1), strict=False))
        free = {"image": (0, 2, 3), "level": (0,)}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        content = Graph(plain_of(model), given, {name: free[name] for name in given}).written()
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.place = torch.nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        given = {"image": x} if condition is None else {"image": x, "level": condition.expand(len(x), 1, 1, 1)}
        found = self.session.run(None, {name: one.contiguous().numpy() for name, one in given.items()})[0]
        return torch.from_numpy(found)


def speed(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        for name in BUNDLED.names():
            model = cuello.load(name)
            file = cuello.load(cuello.export(name, Path(folder) / f"{name}.onnx").path)
            ways = {"torch": model, "ONNX file": file, "network alone": cuello.Model(model.artefact, Alone(model))}
            for height, width in SIZES:
                image = noisy(height // model.scale, width // model.scale, model.scale == 1)
                results = {way: run(image) for way, run in ways.items()}
                apart = max(float(np.abs(one - results["torch"]).max()) for one in results.values())
                print(f"{name}, result of {width}×{height}, {threads} thread(s), {rounds} rounds; apart: {apart:.1g}")
                show(in_turn({way: lambda run=run, image=image: run(image) for way, run in ways.items()}, rounds))


def noisy(height: int, width: int, with_noise: bool) -> np.ndarray:
    """Return a grey photograph as float32, repeated where it is smaller."""
    photograph = np.tile(data.camera() / 255, (-(-height // 512), -(-width // 512)))[:height, :width]
    noise = SIGMA * np.random.default_rng(0).standard_normal(photograph.shape)
    return np.clip(photograph + with_noise * noise, 0, 1).astype(np.float32)


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Run each way once a round: seconds, and seconds of processor."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            start, began = time.perf_counter(), time.process_time()
            run()
            found[way].append((time.perf_counter() - start, time.process_time() - began))
    return found


def show(found: dict[str, list[tuple[float, float]]]) -> None:
    first: tuple[float, ...] = ()
    for way, times in found.items():
        walls, processors = zip(*times, strict=True)
        numbers = (median(walls), min(walls), median(processors), min(processors))
        first = first or numbers
        ratios = " ".join(f"{one / other:5.2f}" for one, other in zip(numbers, first, strict=True))
        shown = " ".join(f"{one:7.3f}" for one in numbers)
        print(f"    {way:14} s median, min; processor s median, min: {shown}   of torch's: {ratios}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    here = environment()
    print(f"{here.get('processor')}, {here.get('cores')} cores; torch {torch.__version__}, ", end="")
    print(f"ONNX Runtime {onnxruntime.__version__}", flush=True)
    speed(options.threads, options.rounds)


if __name__ == "__main__":
    main()
