"""Freed memory is kept for the time of a block."""

import platform
import subprocess
import sys

import pytest

from cuello.core import memory
from cuello.core.memory import kept_memory


def test_kept_memory_sets_the_allocator_and_puts_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def mallopt(option: int, value: int) -> int:
        calls.append((option, value))
        return 1

    def trim(keep: int) -> int:
        calls.append((keep,))
        return 1

    monkeypatch.setattr(memory, "allocator", lambda: (mallopt, trim))
    with kept_memory():
        with kept_memory():  # one inside another changes nothing
            pass
        inside = list(calls)
    assert inside == [(-4, 0), (-1, 2**31 - 1)]
    assert calls[2:] == [(-4, 65536), (-3, 32 * 2**20), (-1, 64 * 2**20), (0,)]
    calls.clear()
    with kept_memory(give_back=False):
        pass
    assert calls[2:] == [(-4, 65536), (-3, 32 * 2**20), (-1, 64 * 2**20)]


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", absent)
    with kept_memory():
        pass


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these limits")
def test_a_large_tensor_is_not_asked_for_again() -> None:
    script = """
import resource
import torch
from cuello.core.memory import kept_memory

def once():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 64 MB, 16,384 pages of 4 kB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def faults():
    torch.ones(2**24)
    return min(once() for _ in range(8))  # a busy machine takes pages away now and then, kept or not

print(faults())
with kept_memory():
    print(faults())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, inside = map(int, done.stdout.split())
    assert inside < before / 2, "given back and asked for again before, not inside"
