"""Training on photographs left in their files beside training on them in memory: images per second, peak memory.

    python benchmarks/streaming.py --folder DIR [--photos 20000] [--rounds 3] [--samples 60000] [--models impulse-s]

Fills DIR with JPEG files: the 400 photographs of BSDS400 (481x321), copied again and again under other names. They are
thus 400 different pictures, but every file is opened, read and decoded on its own; what the operating system keeps of
the files in memory is not what they take decoded. Each training is a process of its own; streamed and resident take
turns, and the medians over the rounds count. Speed is that of the training steps alone (no reading before, no
validation). Crops are 64x64 at random places; an epoch has 35 of each photograph, as many as would tile it, and the
measurement stops after --samples of them. Peak memory is of the whole process, Python and torch included, from the
first file read to the last step. The resident process needs all photographs decoded: 463 kB each, 9.3 GB for 20,000.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cuello.runs.directory import available_cores, processor_name

WARM_UP_STEPS = 20


def fill(folder: Path, photos: int) -> None:
    """Copy BSDS400's photographs into ``folder`` until it holds as many as asked for; only what is missing."""
    from cuello.data.catalog import CATALOG, locate

    spec = CATALOG["bsds400"]
    paths = [locate(spec, file) for file in spec.files()]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{number:05d}.jpg": paths[number % len(paths)] for number in range(photos)}
    for path in folder.iterdir():
        if path.suffix == ".jpg" and path.name not in wanted:
            sys.exit(f"{path} is not one of the {photos} photographs; choose an empty --folder")
    for name, path in wanted.items():
        if not (folder / name).exists():
            shutil.copyfile(path, folder / name)


class Enough(Exception):
    """The measurement is over."""


def train(folder: Path, storage: str, model: str, samples: int) -> dict[str, float]:
    """Train in this process for ``samples`` crops of the first epoch and return what it took."""
    import torch

    from cuello.core.memory import kept_memory
    from cuello.core.types import StepResult
    from cuello.jobs.base import JobData
    from cuello.jobs.data import prepare
    from cuello.runs.directory import Run
    from cuello.training.optimizers import OPTIMIZERS
    from cuello.training.steps import train_epoch
    from cuello.work.train import make_network, resolve, session_of

    torch.set_num_threads(available_cores())
    config = resolve(
        {"data": str(folder), "noise": "salt-pepper:0.2", "model": model, "crop": 64, "storage": storage, "test": 0.0}
    )
    start = time.perf_counter()
    prepared = prepare(config)
    reading = time.perf_counter() - start
    data = JobData(prepared)
    session = session_of(Run(folder), config, data, make_network(config, data))
    network = session.network
    optimizer = OPTIMIZERS[config.optimizer].make(network.parameters(), config)
    began, counted = 0.0, 0

    def after_step(step: int, so_far: StepResult) -> None:
        nonlocal began, counted
        if step == WARM_UP_STEPS:
            began, counted = time.perf_counter(), so_far.images
        if began and so_far.images - counted >= samples:
            counted = so_far.images - counted
            raise Enough

    def rates(step: int) -> float:
        return config.learning_rate

    try:
        with kept_memory():  # as cuello trains
            train_epoch(
                session, network, optimizer, rates=rates, device=torch.device("cpu"), epoch=1, after_step=after_step,
            )  # fmt: skip
        sys.exit(f"an epoch has only {prepared.training.count} crops; ask for fewer --samples")
    except Enough:
        seconds = time.perf_counter() - began
    return {
        "images_per_second": counted / seconds,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "reading_seconds": reading,
        "crops_an_epoch": prepared.training.count,
    }


def measure(options: argparse.Namespace, storage: str, model: str) -> dict[str, float]:
    """Run one training in its own process and return what it reports."""
    command = [sys.executable, __file__, "--folder", str(options.folder), "--samples", str(options.samples),
               "--child", storage, model]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{model} {storage}: " + ", ".join(f"{key} {value:.1f}" for key, value in found.items()), file=sys.stderr)
    return found


def main() -> None:
    """Measure every network, streamed and resident in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the copies of the photographs go")
    parser.add_argument("--photos", type=int, default=20_000, help="how many files")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--samples", type=int, default=60_000, help="crops that are timed in each measurement")
    parser.add_argument("--models", default="impulse-s,conv-8-16-8", help="networks, with commas between")
    parser.add_argument("--streamed-only", action="store_true", help="leave out what needs all photographs in memory")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)  # storage and network, in a process of their own
    options = parser.parse_args()
    if options.child:
        print(json.dumps(train(options.folder, options.child[0], options.child[1], options.samples)))
        return

    fill(options.folder, options.photos)
    modes = ["stream"] if options.streamed_only else ["stream", "memory"]
    models = options.models.split(",")
    found: dict[tuple[str, str], list[dict[str, float]]] = {(model, mode): [] for model in models for mode in modes}
    loads = [os.getloadavg()[0]]
    for number in range(options.rounds):
        for model in models:
            for mode in modes if number % 2 == 0 else reversed(modes):
                found[model, mode].append(measure(options, mode, model))
        loads.append(os.getloadavg()[0])
    print(f"{processor_name()}, {available_cores()} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(f"{options.photos} JPEG files (copies of 400), {options.samples} crops of 64×64, {options.rounds} rounds")
    print(f"{'network':16}{'storage':>9}{'images/s':>10}{'lowest':>9}{'highest':>9}{'of resident':>13}{'peak MB':>9}"
          f"{'first pass s':>14}")  # fmt: skip
    for (model, mode), rows in found.items():
        speeds = [row["images_per_second"] for row in rows]
        middle = statistics.median(speeds)
        other = [row["images_per_second"] for row in found.get((model, "memory"), [])]
        ratio = f"{middle / statistics.median(other):.1%}" if other else "-"
        peak = max(row["peak_megabytes"] for row in rows)
        reading = statistics.median(row["reading_seconds"] for row in rows)
        print(f"{model:16}{mode:>9}{middle:10.0f}{min(speeds):9.0f}{max(speeds):9.0f}{ratio:>13}{peak:9.0f}"
              f"{reading:14.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
