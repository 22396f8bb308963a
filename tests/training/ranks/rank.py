"""One rank of a test: it does what stands in a file, one call after another, and writes what became of each."""

import json
import sys
from pathlib import Path

import cuello
from cuello.core.errors import CuelloError


def main(calls: Path, results: Path) -> None:
    """Make the calls of ``cuello.train`` and ``cuello.resume`` in a JSON file; each result is a text, "" where none.

    "threads" gives the names of this process's threads, where Linux tells them.
    """
    said = []
    for call, arguments in json.loads(calls.read_text("utf-8")):
        if call == "threads":
            said.append(" ".join(sorted(one.read_text().strip() for one in Path("/proc/self/task").glob("*/comm"))))
            continue
        try:
            getattr(cuello, call)(**arguments)
        except CuelloError as error:
            said.append(f"{type(error).__name__}: {error}")
        else:
            said.append("")
    results.write_text(json.dumps(said), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
