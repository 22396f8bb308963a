"""How much memory and time one photograph of 4000×3000 takes, above the idle process: networks of the catalogue.

python benchmarks/apply_memory.py [--models impulse-s,unet-s] [--width 4000 --height 3000]
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from cuello.runs.directory import available_cores, processor_name


def measure(name: str, width: int, height: int, results: "multiprocessing.Queue[tuple[float, float]]") -> None:
    """Restore one photograph with a fresh network; put the peak of memory above idle (MB) and the seconds."""
    import torch
    from PIL import Image

    from cuello.inference.files import apply
    from cuello.inference.model import Model
    from cuello.models.catalog import architecture_of, build
    from cuello.runs.artefact import Artefact

    torch.set_num_threads(available_cores())
    architecture = architecture_of(name, 3)
    network = build(architecture).eval()
    model = Model(Artefact(architecture, "denoise", "salt-pepper:0.2", network.state_dict()), network)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.png"
        block = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
        Image.fromarray(block).resize((width, height)).save(source)
        del block
        model(np.zeros((64, 64, 3), np.uint8))  # libraries' own start-up counts as idle
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        apply(model, source, Path(folder) / "out.png")
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results.put(((peak - idle) / 1024, seconds))


def main() -> None:
    """Measure each network in a process of its own and print a table."""
    from cuello.models.named import NETWORKS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(NETWORKS.names()))
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    options = parser.parse_args()
    print(f"{available_cores()} cores, {processor_name()}; {options.width}×{options.height}×3, 8 bits")
    spawning = multiprocessing.get_context("spawn")
    for name in options.models.split(","):
        results = spawning.Queue()
        process = spawning.Process(target=measure, args=(name, options.width, options.height, results))
        process.start()
        megabytes, seconds = results.get()
        process.join()
        print(f"{name:<22} {megabytes:6.0f} MB above idle  {seconds:6.1f} s")


if __name__ == "__main__":
    main()
