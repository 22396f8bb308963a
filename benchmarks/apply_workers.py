"""`cuello apply` on many photographs: one core, one process with all threads, and processes that share the files.

python benchmarks/apply_workers.py [--photographs 100] [--rounds 3] [--formats png,jpg] [--model impulse-s]
                                   [--width 4000 --height 3000]

Each round runs every way once, in turn, as a command of its own, its start included; the table has medians over the
rounds. One core: one thread on one core of those there are. The photographs are scikit-image's, enlarged, turned and
spoiled, a dozen of them and copies; the network has the weights of its beginning, which take as long as others.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cuello.runs.directory import available_cores, processor_name

DISTINCT = 12


def make_photographs(folder: Path, count: int, ending: str, size: tuple[int, int]) -> None:
    """Write photographs of ``size``, width and height, with a fifth of their pixels black or white."""
    import skimage.data
    from PIL import Image

    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    for number in range(min(count, DISTINCT)):
        turned = np.rot90(photographs[number % 3], number // 3)
        pixels = np.asarray(Image.fromarray(turned).resize(size, Image.Resampling.BICUBIC)).copy()
        drawn = np.random.default_rng(number).random(pixels.shape[:2])
        pixels[drawn < 0.1], pixels[drawn > 0.9] = 0, 255
        Image.fromarray(pixels).save(folder / f"{number:04d}.{ending}", quality=95)
    for number in range(DISTINCT, count):
        shutil.copy(folder / f"{number % DISTINCT:04d}.{ending}", folder / f"{number:04d}.{ending}")


def save_network(name: str, path: Path) -> None:
    """Write a network of the catalogue as it begins."""
    import torch

    from cuello.models.catalog import architecture_of, build
    from cuello.runs.artefact import Artefact, save_artefact

    torch.manual_seed(0)
    architecture = architecture_of(name, 3)
    save_artefact(path, Artefact(architecture, "denoise", "salt-pepper:0.2", build(architecture).state_dict()))


def to_one_core() -> None:
    """Keep this process to one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def seconds_of(model: Path, source: Path, options: list[str], one_core: bool) -> float:
    """Restore a folder by a command, and return how long that took."""
    before: Callable[[], None] | None = to_one_core if one_core else None
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory(dir=source.parent) as results:
        words = [sys.executable, "-m", "cuello", "apply", model, source, results, "--quiet", *options]
        start = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment, preexec_fn=before)
        return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", default="png,jpg")
    parser.add_argument("--model", default="impulse-s")
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    asked = parser.parse_args()
    cores = available_cores()
    ways = {
        "one core": (["--workers", "1", "--threads", "1"], True),
        f"one process, {cores} threads": (["--workers", "1", "--threads", str(cores)], False),
        f"{cores} workers": (["--workers", str(cores)], False),
        "default": ([], False),
    }
    print(f"{processor_name()}, {cores} cores; {asked.model}; load {os.getloadavg()[0]:.1f}")
    print(f"{asked.photographs} photographs of {asked.width}×{asked.height}; medians of {asked.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        save_network(asked.model, model)
        for ending in asked.formats.split(","):
            source = Path(folder) / ending
            source.mkdir()
            make_photographs(source, asked.photographs, ending, (asked.width, asked.height))
            found: dict[str, list[float]] = {}
            for _ in range(asked.rounds):
                for way, (options, one_core) in ways.items():
                    found.setdefault(way, []).append(seconds_of(model, source, options, one_core))
            medians = {way: statistics.median(values) for way, values in found.items()}
            for way, seconds in medians.items():
                print(f"{ending:>5}  {way:<26} {seconds:8.1f} s   {medians['one core'] / seconds:5.2f} × one core")
            shutil.rmtree(source)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
