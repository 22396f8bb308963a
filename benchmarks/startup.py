"""How long `cuello --help` takes: median and best of several fresh processes.

python benchmarks/startup.py [--runs 15]
"""

import argparse
import statistics
import subprocess
import sys
import time

from cuello.runs.directory import available_cores, processor_name


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    seconds = {}
    for name, code in (("cuello --help", "import cuello.cli; cuello.cli.main(['--help'])"), ("python -c pass", "pass")):
        taken = []
        for _ in range(runs):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - start)
        seconds[name] = taken
    print(f"{available_cores()} cores, {processor_name()}")
    for name, taken in seconds.items():
        print(f"{name:<16} median {statistics.median(taken):.3f} s, best {min(taken):.3f} s, of {runs}")


if __name__ == "__main__":
    main()
