"""Where the parts of ONNX Runtime lie that go into a page."""

from dataclasses import dataclass
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.core.files import cache_folder
from cuello.exporting.page.fetch import FETCH, PACKAGE, TARBALL, VERSION, is_complete

BUILT_IN = Path(__file__).with_name("runtime")


@dataclass(frozen=True)
class Runtime:
    """ONNX Runtime for browsers: its program and its WebAssembly, both gzipped, and its licence."""

    program: bytes
    wasm: bytes
    license: str


def kept() -> Path:
    """Return where the parts are kept that were fetched after the installation."""
    return cache_folder() / f"{PACKAGE}-{VERSION}"


def runtime() -> Runtime:
    """Read the parts; CuelloError where the installation was built without and they were not fetched since."""
    for folder in (BUILT_IN, kept()):
        if is_complete(folder):
            return Runtime(
                (folder / "ort.mjs.gz").read_bytes(),
                (folder / "ort.wasm.gz").read_bytes(),
                (folder / "LICENSE").read_text("utf-8"),
            )
    raise CuelloError(
        f"a page needs {PACKAGE} {VERSION}, which this installation lacks: it was built where npm or a network was "
        f"missing. Get it once with npm: {FETCH} (or set {TARBALL} to its .tgz file for that command)."
    )
