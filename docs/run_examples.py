"""Run every example of the documentation: each ```python block, and each ```bash block that does not say `no-run`.

python docs/run_examples.py README.md docs/guide

The blocks of a file run in order, each in a process of its own, in one temporary folder, with the commands of this
environment. A folder's files, in the order in which its README.md links them, share one. The first that fails stops
the run.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(python|bash)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([\w-]+\.md)\)")


def run_file(path: Path, folder: str) -> int:
    """Run the blocks of one file and return how many there were."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    interpreters = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}
    blocks = [block for block in BLOCK.findall(path.read_text()) if "no-run" not in block[1]]
    for number, (language, _, code) in enumerate(blocks, 1):
        print(f"--- {path.name}, example {number}\n{code}", flush=True)
        subprocess.run([*interpreters[language], code], check=True, env=environment, cwd=folder)
    return len(blocks)


def pages(path: Path) -> list[Path]:
    """List the files of a folder in the order of its README.md, which must link every one; a file is itself."""
    if path.is_file():
        return [path]
    linked = [path / name for name in LINK.findall((path / "README.md").read_text())]
    if missing := set(path.glob("*.md")) - {*linked, path / "README.md"}:
        sys.exit(f"{path / 'README.md'} does not link {', '.join(sorted(file.name for file in missing))}")
    return linked


def main() -> None:
    """Run the files and folders named on the command line; each must have at least one example."""
    for path in [Path(name).resolve() for name in sys.argv[1:]]:
        with tempfile.TemporaryDirectory() as folder:
            count = sum(run_file(page, folder) for page in pages(path))
        if count == 0:
            sys.exit(f"{path} has no example to run")
        print(f"{path.name}: {count} examples ran")


if __name__ == "__main__":
    main()
