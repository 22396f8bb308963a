"""Which processor to train on, and how."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator

import torch

from cuello.config import TrainConfig
from cuello.errors import CuelloError
from cuello.runs.directory import available_cores


def choose_device(name: str) -> torch.device:
    """Return the device that ``name`` stands for: auto, cpu, cuda, cuda:N or mps.

    Raises CuelloError where it is asked for and absent.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CuelloError(f"device: got {name!r}, needed auto, cpu, cuda, cuda:N or mps.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CuelloError(
            f"device: {name} was asked for, but this torch ({torch.__version__}) sees no NVIDIA GPU. "
            "Use --device cpu, or install torch with CUDA and a driver."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CuelloError(
            f"device: {name} was asked for, but there are {torch.cuda.device_count()} GPUs (0 is the first)."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise CuelloError("device: mps was asked for, but this is no Mac with Apple's GPU. Use --device cpu.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise CuelloError(f"device: got {name!r}, needed auto, cpu, cuda, cuda:N or mps.")
    return device


def use_threads(threads: int | None) -> int:
    """Set how many processor threads torch works with and return the number.

    By default as many as OMP_NUM_THREADS says, or else all cores. More threads than free cores are very slow.
    """
    if threads is not None and threads < 1:
        raise CuelloError(f"threads: got {threads}, needed 1 or more; leave it out for all cores.")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    count = threads or (int(asked) if asked.isdigit() and int(asked) else available_cores())
    torch.set_num_threads(count)
    return count


def precision_context(config: TrainConfig, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a forward pass runs: automatic bf16, or none."""
    if config.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # as malloc.h numbers them
MOST_MAPPINGS, LARGEST_UNMAPPED = 65536, 32 * 2**20  # glibc's default, and where its own adaptation ends


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let glibc keep freed memory for the next step, for the time of the block.

    By default it gives large tensors back to the system and asks for them anew in every step, page by page, which
    takes up to half of a small network's time (docs/performance.md). Afterwards what is free is given back, and
    glibc's limits are those to which it adapts by itself. Without glibc (macOS, Windows, musl) nothing happens.
    """
    mallopt, trim = allocator()
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        mallopt(M_MMAP_MAX, MOST_MAPPINGS)
        mallopt(M_MMAP_THRESHOLD, LARGEST_UNMAPPED)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_UNMAPPED)
        trim(0)


def allocator() -> tuple[Callable[[int, int], int], Callable[[int], int]]:
    """Return glibc's mallopt and malloc_trim, or functions that do nothing where there is no glibc."""
    try:
        library = ctypes.CDLL("libc.so.6")
        return library.mallopt, library.malloc_trim
    except (OSError, AttributeError):
        return lambda option, value: 0, lambda keep: 0
