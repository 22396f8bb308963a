"""How long `cuello --help` and `import cuello` take: median and best of several fresh processes.

python benchmarks/startup.py [--runs 15]

Processor time is what a process used of a core, its waiting for other programs not counted.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

from cuello.runs.directory import available_cores, processor_name

CODES = {
    "cuello --help": "import cuello.cli; cuello.cli.main(['--help'])", "import cuello": "import cuello",
    "python -c pass": "pass",
}  # fmt: skip


def used() -> float:
    """Return the processor time of all processes that have ended so far, seconds."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    print(f"{available_cores()} cores, {processor_name()}; load before: {os.getloadavg()[0]:.1f}")
    for name, code in CODES.items():
        taken, processor = [], []
        for _ in range(runs):
            start, before = time.perf_counter(), used()
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - start)
            processor.append(used() - before)
        print(
            f"{name:<16} median {statistics.median(taken):.3f} s, best {min(taken):.3f} s; processor time median "
            f"{statistics.median(processor):.3f} s, best {min(processor):.3f} s; of {runs}"
        )


if __name__ == "__main__":
    main()
