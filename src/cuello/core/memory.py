"""How much memory is free, what would need more, and what the C library does with memory that is freed."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from cuello.core.errors import CuelloError

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


def free_memory() -> int:
    """Count the bytes that a program may still take: the system's own word, within the limit of its control group."""
    found = [limit for limit in (available_by_system(), available_by_group()) if limit is not None]
    return min(found, default=4 * 2**30)


def available_by_system() -> int | None:
    """Read what /proc/meminfo calls available, else the free pages that POSIX knows of, else None."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    names = getattr(os, "sysconf_names", {})
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in names else "SC_PHYS_PAGES"
    try:
        share = 1 if pages == "SC_AVPHYS_PAGES" else 2
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") // share
    except (AttributeError, OSError, ValueError):
        return None


def available_by_group() -> int | None:
    """Read what a container's limit (control groups, version 2) leaves; None where there is none."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((folder / name).read_text("utf-8")) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text("utf-8").splitlines())
        return max(0, limit - used + int(stat["inactive_file"]))  # what is only cached gives way
    except (OSError, ValueError, KeyError):
        return None


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise CuelloError, with both numbers, where something needs more bytes than are free.

    what: "WHAT needs". remedy: a sentence.
    """
    free = free_memory()
    if needed > free:
        raise CuelloError(f"{what} {needed / 2**20:,.0f} MiB, and {free / 2**20:,.0f} MiB of memory are free. {remedy}")


UNPACKED_FREELY = 128 * 2**20  # bytes
MOST_TIMES = 100


def check_unpacked(unpacked: int, packed: int, what: str) -> None:
    """Raise CuelloError where something packed would become too large: for the memory, or so many times that it is a
    trap ("zip bomb").

    unpacked, packed: bytes. what: the file.
    """
    check_memory(unpacked, f"{what} needs", "Give smaller files, or fewer images.")
    if unpacked > max(UNPACKED_FREELY, MOST_TIMES * packed):
        raise CuelloError(
            f"{what} would be unpacked from {packed / 2**20:,.1f} to {unpacked / 2**20:,.0f} MiB, more than "
            f"{MOST_TIMES} times as much, as malicious files do. If that is intended, save it without compression."
        )
