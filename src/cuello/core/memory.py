"""What the C library does with memory that is freed."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # as malloc.h numbers them
MOST_MAPPINGS, LARGEST_UNMAPPED = 65536, 32 * 2**20  # glibc's default, and where its own adaptation ends
INSIDE = [False]
"""Whether a block is open: one inside another changes nothing."""


@contextlib.contextmanager
def kept_memory(give_back: bool = True) -> Iterator[None]:
    """Let glibc keep freed memory for the next step, for the time of the block.

    By default it gives large tensors back to the system and asks for them anew in every step, page by page, which
    takes up to half of a small network's time (docs/performance.md). Afterwards what is free is given back, and
    glibc's limits are those to which it adapts by itself. give_back: False, for short work that is likely to come
    again, leaves that to glibc, which keeps up to 64 MB. Without glibc (macOS, Windows, musl) nothing happens, nor in a
    block inside another.
    """
    if INSIDE[0]:
        yield
        return
    mallopt, trim = allocator()
    INSIDE[0] = True
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        INSIDE[0] = False
        mallopt(M_MMAP_MAX, MOST_MAPPINGS)
        mallopt(M_MMAP_THRESHOLD, LARGEST_UNMAPPED)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_UNMAPPED)
        if give_back:
            trim(0)


def allocator() -> tuple[Callable[[int, int], int], Callable[[int], int]]:
    """Return glibc's mallopt and malloc_trim, or functions that do nothing where there is no glibc."""
    try:
        library = ctypes.CDLL("libc.so.6")
        return library.mallopt, library.malloc_trim
    except (OSError, AttributeError):
        return lambda option, value: 0, lambda keep: 0
