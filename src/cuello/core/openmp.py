"""How torch's threads wait for one another, and that its products do not depend on where numbers lie in memory.

OpenMP reads the former once, from the environment, when torch is loaded; MKL the latter, before its first product.

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
SAME_BITS = {"MKL_CBWR": "AUTO"}
"""MKL takes one way for a product of one size, wherever its numbers lie: on processors with AVX-512 a network trained
beside others differs in the last bits from the same one by itself otherwise. It is as fast.

Source: Intel oneMKL's developer guide, "Conditional Numerical Reproducibility"."""
CHOICES = {*WAITING, "OMP_WAIT_POLICY"}
"""Where one of these is set, the user has chosen how threads wait."""


@contextmanager
def calm() -> Iterator[None]:
    """Set what OpenMP and MKL read, for the time of the block, so that no other process inherits it."""
    wanted = {"OMP_DYNAMIC": "false"} | ({} if CHOICES & os.environ.keys() else WAITING)
    wanted |= {name: value for name, value in SAME_BITS.items() if name not in os.environ}
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
                    multiply(module)

            found.loader.exec_module = load_calmly
        return found


def multiply(torch: ModuleType) -> None:
    """Make a product, before which MKL reads its settings."""
    torch.ones(2, 2) @ torch.ones(2, 2)


def load_torch_calmly() -> None:
    """Let torch load calmly whenever that will be; where it is loaded already, MKL may not have read its settings."""
    if "torch" in sys.modules:
        with calm():
            multiply(sys.modules["torch"])
    elif not any(isinstance(finder, CalmTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, CalmTorch())


def is_dynamic() -> bool:
    """Tell whether torch was loaded with OMP_DYNAMIC by somebody else: its convolutions can then wait for ever."""
    import ctypes

    try:
        return bool(ctypes.CDLL(None).omp_get_dynamic())
    except (OSError, TypeError, AttributeError):  # no OpenMP that can be asked
        return False
