"""Which processor, how many threads, which precision."""

import contextlib
import platform
import subprocess
import sys

import pytest
import torch

from cuello.config import TrainConfig
from cuello.errors import CuelloError
from cuello.runs.directory import available_cores
from cuello.training import device
from cuello.training.device import choose_device, kept_memory, precision_context, use_threads


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Pretend that there are so many NVIDIA GPUs."""

    def pretend(count: int, apple: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)

    return pretend


def test_auto_takes_a_gpu_if_there_is_one(gpus) -> None:
    gpus(0)
    assert choose_device("auto").type == "cpu"
    gpus(1)
    assert choose_device("auto").type == "cuda"
    gpus(0, apple=True)
    assert choose_device("auto").type == "mps"


def test_a_gpu_that_is_there_is_taken(gpus) -> None:
    gpus(2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "sees no NVIDIA GPU. Use --device cpu"),
        ("cuda:3", "sees no NVIDIA GPU"),
        ("mps", "no Mac with Apple's GPU. Use --device cpu"),
    ],
)
def test_a_gpu_that_is_absent_is_an_error_with_a_remedy(gpus, name: str, message: str) -> None:
    gpus(0)
    with pytest.raises(CuelloError, match=message):
        choose_device(name)


def test_a_gpu_beyond_the_last_is_an_error(gpus) -> None:
    gpus(2)
    with pytest.raises(CuelloError, match=r"cuda:2 was asked for, but there are 2 GPUs"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "tpu:0"])
def test_an_unknown_device_lists_those_there_are(name: str) -> None:
    with pytest.raises(CuelloError, match=r"needed auto, cpu, cuda, cuda:N or mps"):
        choose_device(name)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        assert use_threads(1) == 1
        assert torch.get_num_threads() == 1
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        assert use_threads(None) == available_cores() == torch.get_num_threads()
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert use_threads(None) == 3 == torch.get_num_threads()
        assert use_threads(1) == 1, "what is asked for comes before the environment"
        for count in (0, -1):
            with pytest.raises(CuelloError, match=rf"threads: got {count}, needed 1 or more"):
                use_threads(count)
    finally:
        torch.set_num_threads(before)


def test_precision() -> None:
    cpu = torch.device("cpu")
    assert isinstance(precision_context(TrainConfig(), cpu), contextlib.nullcontext)
    with precision_context(TrainConfig(precision="bf16"), cpu):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_kept_memory_sets_the_allocator_and_puts_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def mallopt(option: int, value: int) -> int:
        calls.append((option, value))
        return 1

    def trim(keep: int) -> int:
        calls.append((keep,))
        return 1

    monkeypatch.setattr(device, "allocator", lambda: (mallopt, trim))
    with kept_memory():
        inside = list(calls)
    assert inside == [(-4, 0), (-1, 2**31 - 1)]
    assert calls[2:] == [(-4, 65536), (-3, 32 * 2**20), (-1, 64 * 2**20), (0,)]


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
from cuello.training.device import kept_memory

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
