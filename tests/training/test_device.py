"""Which processor, how many threads, which precision."""

import contextlib

import pytest
import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.runs.directory import available_cores
from cuello.training.device import choose_device, precision_context, use_threads


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
        ("cuda", "sees no NVIDIA GPU. Use device='cpu'"),
        ("cuda:3", "sees no NVIDIA GPU"),
        ("mps", "not a Mac with Apple's GPU. Use device='cpu'"),
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
