"""Speeds alone and beside a process that only loops, of what Cuello does by default and of other ways to wait.

    python benchmarks/busy_machine.py [--rounds 3] [--work train train-openmp …] [--loops 1]

Works: *train*, ``cuello.train`` of the source's denoiser (2,793 parameters, batches of 64, crops of 64, salt and
pepper) as it comes; *train-openmp*, the same with torch's own threads for every operation, as before; *train-spin*,
these with OpenMP's own time of spinning (300,000 turns); *train-one*, one thread; *apply*, the shipped `denoise` on a
photograph of 4 megapixels (in megapixels a second); *explain*, exact occlusion maps of 27×27. Each runs in a process of
its own; a round runs every work once, alone and beside ``--loops`` loops; the table has medians over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from cuello.runs.directory import available_cores, processor_name

EPOCHS, SAMPLES = 4, 2048
SIDE, MAPS = 2048, 40
SPIN = {"train-spin": "300000"}


def train(name: str) -> float:
    """Return the images a second of the quickest epoch of a training, its noise and reading included."""
    import cuello
    from cuello.training.ranks import threads

    if name in ("train-openmp", "train-spin"):
        threads.LEAST_WORK = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        run = cuello.train(
            "denoise", "photos", model="conv-8-16-8", noise="salt-pepper:0.1..0.5", epochs=EPOCHS, samples=SAMPLES,
            crop=64, batch_size=64, report=False, output=f"{folder}/run", progress=False,
            threads=1 if name == "train-one" else None,
        )  # fmt: skip
        return SAMPLES / min(epoch.training_seconds for epoch in run.history)


def best_of(call: Callable[[], Any], times: int = 3) -> float:
    """Return the calls a second of the quickest of some, after one to warm up."""
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1 / min(seconds)


def apply(name: str) -> float:
    """Return the megapixels a second of the shipped denoiser."""
    import numpy as np

    import cuello

    model = cuello.load("denoise")
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    return best_of(lambda: model(image, level=25 / 255)) * SIDE**2 / 1e6


def explain(name: str) -> float:
    """Return the exact occlusion maps a second."""
    import torch

    from cuello.models.catalog import architecture_of, build
    from cuello.saliency.occlusion import occlusion_map

    torch.manual_seed(0)
    network = build(architecture_of("classify-s", channels=1, size=(27, 27), classes=2)).eval()
    images = torch.rand(MAPS, 1, 27, 27)
    return best_of(lambda: occlusion_map(network, images, box=3, stride=1), times=1) * MAPS


WORKS: dict[str, Callable[[str], float]] = {
    "train": train, "train-openmp": train, "train-spin": train, "train-one": train, "apply": apply, "explain": explain,
}  # fmt: skip


def speed(name: str, loops: int) -> float:
    """Return the speed of a work in a process of its own, beside so many loops."""
    beside = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    spin = {"GOMP_SPINCOUNT": SPIN[name]} if name in SPIN else {}
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--ours", name], capture_output=True, text=True, check=True,
            env=os.environ | spin,
        )  # fmt: skip
    finally:
        for loop in beside:
            loop.kill()
            loop.wait()
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--ours", help=argparse.SUPPRESS)  # the process that works
    asked = parser.parse_args()
    if asked.ours:
        print(json.dumps(WORKS[asked.ours](asked.ours)))
        return
    found: dict[tuple[str, int], list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(asked.rounds):
        for name in asked.work:
            for loops in (0, asked.loops):
                found.setdefault((name, loops), []).append(speed(name, loops))
        loads.append(os.getloadavg()[0])
    print(f"{processor_name()}, {available_cores()} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(f"{'':14}{'alone':>10}{'lowest':>10}{'highest':>10}{'beside':>10}{'lowest':>10}{'highest':>10}   share")
    for name in asked.work:
        alone, beside = found[name, 0], found[name, asked.loops]
        numbers = [
            number for values in (alone, beside) for number in (statistics.median(values), min(values), max(values))
        ]
        share = statistics.median(beside) / statistics.median(alone)
        print(f"{name:14}" + "".join(f"{number:10.1f}" for number in numbers) + f"{share:8.2f}")


if __name__ == "__main__":
    main()
