"""How long until the local page can be opened, and what `cuello --help` and `import cuello` take beside it.

python benchmarks/web_start.py [--runs 7]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

from cuello.runs.directory import available_cores, processor_name


def until_opened() -> float:
    """Start the server, open the page, and return how long that took, from the start of its process on."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        words = [sys.executable, "-m", "cuello", "web", folder, "--port", "0"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            with build_opener(HTTPCookieProcessor(CookieJar())).open(address) as answer:
                content = answer.read()
            taken = time.perf_counter() - start
            assert b"No network has been trained here yet." in content, content[:500]
        finally:
            process.kill()
            process.communicate()
    return taken


def until_ended(*words: str) -> float:
    """Run Python with these words, and return how long that took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, so that what else the machine does falls on all alike, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    measured = {
        "cuello web, page opened": until_opened,
        "cuello --help": lambda: until_ended("-m", "cuello", "--help"),
        "import cuello": lambda: until_ended("-c", "import cuello"),
        "python -c pass": lambda: until_ended("-c", "pass"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(runs):
        for name, measure in measured.items():
            seconds[name].append(measure())
    print(f"{available_cores()} cores, {processor_name()}")
    for name, taken in seconds.items():
        print(f"{name:<23} median {statistics.median(taken):.2f} s, best {min(taken):.2f} s, of {runs}")


if __name__ == "__main__":
    main()
