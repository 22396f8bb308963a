"""How torch's threads wait for one another. OpenMP reads that once, from the environment, when torch is loaded.

By default a thread that waits spins for milliseconds: beside one other busy process a training then falls to a fraction
of its speed, since the threads that should work wait for those that only spin. And with OMP_DYNAMIC, a convolution's
backward pass waits for threads that never come.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""How long threads spin: turns of a loop with GNU's OpenMP, milliseconds with LLVM's and Intel's."""
CHOICES = {*WAITING, "OMP_WAIT_POLICY"}
"""Where one of these is set, the user has chosen how threads wait."""


@contextmanager
def calm() -> Iterator[None]:
    """Set what OpenMP reads, for the time of the block, so that no other process inherits it."""
    wanted = {"OMP_DYNAMIC": "false"} | ({} if CHOICES & os.environ.keys() else WAITING)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class CalmTorch:
    """Finds torch when it is loaded for the first time, and lets it load calmly."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how torch is loaded; None for every other module."""
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        found = importlib.util.find_spec(name)
        if found is not None and found.loader is not None:
            load = found.loader.exec_module

            def load_calmly(module: ModuleType) -> None:
                with calm():
                    load(module)

            found.loader.exec_module = load_calmly
        return found


def load_torch_calmly() -> None:
    """Let torch load calmly whenever that will be; nothing where it is loaded already."""
    if "torch" not in sys.modules and not any(isinstance(finder, CalmTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, CalmTorch())


def is_dynamic() -> bool:
    """Tell whether torch was loaded with OMP_DYNAMIC by somebody else: its convolutions can then wait for ever."""
    import ctypes

    try:
        return bool(ctypes.CDLL(None).omp_get_dynamic())
    except (OSError, TypeError, AttributeError):  # no OpenMP that can be asked
        return False
