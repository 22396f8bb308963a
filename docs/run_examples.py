"""Run every example of the documentation: each ```python block, and each ```bash block that does not say `no-run`.

python docs/run_examples.py README.md docs/guide.md

The blocks of a file run in order, each in a process of its own, in one temporary folder, with the commands of this
environment. The first that fails stops the run.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(python|bash)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_file(path: Path) -> int:
    """Run the blocks of one file and return how many there were."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    interpreters = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}
    blocks = [block for block in BLOCK.findall(path.read_text()) if "no-run" not in block[1]]
    with tempfile.TemporaryDirectory() as folder:
        for number, (language, _, code) in enumerate(blocks, 1):
            print(f"--- {path.name}, example {number}\n{code}", flush=True)
            subprocess.run([*interpreters[language], code], check=True, env=environment, cwd=folder)
    return len(blocks)


def main() -> None:
    """Run the files named on the command line; each must have at least one example."""
    for path in [Path(name).resolve() for name in sys.argv[1:]]:
        count = run_file(path)
        if count == 0:
            sys.exit(f"{path} has no example to run")
        print(f"{path.name}: {count} examples ran")


if __name__ == "__main__":
    main()
