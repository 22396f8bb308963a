"""The parts of ONNX Runtime that a page needs, from the npm package onnxruntime-web: fetched when Cuello is built.

Run as a program (``python -m cuello.exporting.page.fetch``) it gets them for an installation that was built without. It
imports the standard library alone, since the build reads it before anything is installed.
"""

import base64
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = {
    "ort.mjs.gz": "package/dist/ort.wasm.bundle.min.mjs",
    "ort.wasm.gz": "package/dist/ort-wasm-simd-threaded.wasm",
}
"""What is kept, compressed, and where it lies in the npm package."""
TARBALL = "CUELLO_ONNXRUNTIME_WEB"
"""The environment variable that names the package's file, for machines without npm or a network."""
FETCH = "python -m cuello.exporting.page.fetch"
PATIENCE = 180
LICENSE = """MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
"""Of ONNX Runtime. The npm package names it and does not hold its text."""


class FetchError(Exception):
    """The package could not be had, or is another one; the message says why."""


def is_complete(folder: Path) -> bool:
    """Tell whether a folder holds all parts, of this version."""
    stamp = folder / "VERSION"
    return all((folder / name).is_file() for name in FILES) and stamp.is_file() and stamp.read_text("utf-8") == VERSION


def fetch(folder: Path) -> None:
    """Put the parts into ``folder``, whole or not at all; FetchError where that is not possible."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".runtime-") as temporary:
        place = Path(temporary)
        given = os.environ.get(TARBALL)
        content = read(Path(given)) if given else packed(place)
        if base64.b64encode(hashlib.sha512(content).digest()).decode() != SHA512:
            raise FetchError(f"{given or PACKAGE} is not {PACKAGE} {VERSION}: its SHA-512 differs")
        parts = place / "parts"
        parts.mkdir()
        tarball = place / "checked.tgz"
        tarball.write_bytes(content)
        with tarfile.open(tarball) as archive:
            for name, member in FILES.items():
                (parts / name).write_bytes(gzip.compress(archive.extractfile(member).read(), 9, mtime=0))  # type: ignore[union-attr]
        (parts / "LICENSE").write_text(f"{PACKAGE} {VERSION}\n\n{LICENSE}", "utf-8")
        (parts / "VERSION").write_text(VERSION, "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        parts.rename(folder)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FetchError(f"{TARBALL}: {path} cannot be read ({error.strerror})") from None


def packed(place: Path) -> bytes:
    """Have npm download the package, and read it."""
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError(f"npm is not installed, and {TARBALL} does not name the file of {PACKAGE} {VERSION}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--fetch-retries=1", "--fetch-timeout=60000"]
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"npm could not get {PACKAGE} {VERSION} ({type(error).__name__})") from None
    found = list(place.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(f"npm could not get {PACKAGE} {VERSION} ({last})")
    return found[0].read_bytes()


def main() -> int:
    """Get the parts for this installation."""
    from cuello.exporting.page.runtime import kept

    try:
        fetch(kept())
    except FetchError as error:
        print(f"cuello: {error}.", file=sys.stderr)
        return 2
    print(f"{PACKAGE} {VERSION} is in {kept()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
