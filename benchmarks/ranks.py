"""Training in two processes of one thread each, which share every batch, against one process of two threads.

python benchmarks/ranks.py [--rounds 5] [--models conv-8-16-8 denoise-s] [--batch 64] [--crop 48] [--ranks 2]

Each round trains every network once by every way, in turn, so that whatever else the machine does meets all alike; the
table has medians over the rounds, in images/s of the training part of the last epoch, as history.jsonl has it: reading,
noise and the optimiser count, starting and validation do not. One process of one thread is beside them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cuello.runs.directory import Run, available_cores, processor_name

NOISE = {"conv-8-16-8": "salt-pepper:0.2"}
"""What a network takes off, where that is not Gaussian noise."""


def speed(model: str, ranks: int, threads: int, *, asked: argparse.Namespace) -> float:
    """Return images per second of the last epoch of a training in so many ranks of so many threads."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            sys.executable, "-m", "cuello", "train", "denoise", "photos", "--noise", NOISE.get(model, "gaussian:25"),
            "--model", model, "--crop", asked.crop, "--samples", asked.samples, "--batch-size", asked.batch,
            "--validation-samples", 8, "--epochs", asked.epochs, "--no-report", "--quiet", "--device", "cpu",
            "--threads", threads, "--ranks", ranks, "--output", f"{folder}/run",
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        subprocess.run([str(word) for word in words], check=True, capture_output=True, env=environment)
        last = Run(Path(folder) / "run").history[-1]
        return last.images / last.training_seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["conv-8-16-8", "denoise-s"])
    parser.add_argument("--batch", type=int, default=64, help="images a step, of all ranks together")
    parser.add_argument("--crop", type=int, default=48)
    parser.add_argument("--samples", type=int, default=1280, help="crops an epoch")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--ranks", type=int, default=2)
    asked = parser.parse_args()
    ways = {"1 × 1": (1, 1), f"1 × {asked.ranks}": (1, asked.ranks), f"{asked.ranks} × 1": (asked.ranks, 1)}
    found: dict[tuple[str, str], list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(asked.rounds):
        for model in asked.models:
            for name, (ranks, threads) in ways.items():
                found.setdefault((model, name), []).append(speed(model, ranks, threads, asked=asked))
        loads.append(os.getloadavg()[0])
    print(f"{processor_name()}, {available_cores()} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(
        f"{'processes × threads':<22}"
        + "".join(f"{name:>10}" for name in ways)
        + "   images/s, and the last by the second"
    )
    one, other = list(ways)[1:]
    for model in asked.models:
        medians = {name: statistics.median(found[model, name]) for name in ways}
        shown = "".join(f"{value:10.0f}" for value in medians.values())
        print(f"{model:<22}{shown}   {medians[other] / medians[one]:.2f}")


if __name__ == "__main__":
    main()
