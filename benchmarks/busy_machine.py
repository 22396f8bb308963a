"""Training throughput alone and beside a process that only loops, by how long OpenMP's threads spin while they wait.

python benchmarks/busy_machine.py [--rounds 5] [--batch 64] [--spins 300000 0 1000 10000]

Each round runs every setting once, alone and beside one loop, so that whatever else the machine does meets all alike;
the table has medians over the rounds, and each as a share of the first setting alone. 300000 is what GNU's OpenMP takes
where nothing is set. The work is train_speed.py's: a denoiser of 2,793 parameters.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from cuello.runs.directory import available_cores, processor_name

TRAINING = Path(__file__).with_name("train_speed.py")


def speed(spins: str, batch: int, busy: bool) -> float:
    """Return the images per second of a training in a process of its own, beside a loop or not."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        done = subprocess.run(
            [sys.executable, TRAINING, "--ours", "--batch", str(batch)], capture_output=True, check=True,
            env=os.environ | {"GOMP_SPINCOUNT": spins},
        )  # fmt: skip
    finally:
        if loop is not None:
            loop.kill()
            loop.wait()
    return json.loads(done.stdout.splitlines()[-1])["images_per_second"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--spins", nargs="+", default=["300000", "0", "1000", "10000"])
    asked = parser.parse_args()
    found: dict[tuple[str, bool], list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(asked.rounds):
        for spins in asked.spins:
            for busy in (False, True):
                found.setdefault((spins, busy), []).append(speed(spins, asked.batch, busy))
        loads.append(os.getloadavg()[0])
    print(f"{processor_name()}, {available_cores()} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    medians = {key: statistics.median(values) for key, values in found.items()}
    print(f"{'spins':>8}{'alone':>10}{'beside a loop':>16}   images/s, and as a share of the first alone")
    for spins in asked.spins:
        alone, beside = medians[spins, False], medians[spins, True]
        first = medians[asked.spins[0], False]
        print(f"{spins:>8}{alone:10.0f}{beside:16.0f}   {alone / first:.2f}  {beside / first:.2f}")


if __name__ == "__main__":
    main()
