"""torch.compile fails at its first use, not where it is asked for: the message names the remedy all the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cuello
from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.training.compilation import compiled, compiler_errors


def lazily(error: Exception) -> Callable[..., Any]:
    """Return a stand-in for torch.compile whose result fails when it is called."""

    def fake(network: nn.Module) -> Callable[..., Any]:
        def fails(*arguments: object) -> None:
            raise error

        return fails

    return fake


@pytest.mark.parametrize("position", range(3))
def test_the_first_forward_pass_says_what_is_missing(position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = compiler_errors()[position]
    error = kind.__new__(kind)
    error.args = ("\nNo working C++ compiler found\nmore lines",)
    monkeypatch.setattr(torch, "compile", lazily(error))
    forward = compiled(nn.Identity())
    with pytest.raises(
        CuelloError, match=r"not be compiled \(.*\).*C\+\+ compiler such as g\+\+.*leave out compile=True"
    ):
        forward(torch.zeros(1))


def test_other_errors_of_the_network_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lazily(ValueError("of the network's own")))
    with pytest.raises(ValueError, match="of the network's own"):
        compiled(nn.Identity())(torch.zeros(1))


def test_a_torch_that_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(network: nn.Module) -> None:
        raise RuntimeError("not on this Python")

    monkeypatch.setattr(torch, "compile", refuses)
    with pytest.raises(CuelloError, match=r"not on this Python.*leave out compile=True"):
        compiled(nn.Identity())


def test_a_training_ends_with_the_message(
    images: Path, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.exc import TorchDynamoException

    monkeypatch.setattr(torch, "compile", lazily(TorchDynamoException("no compiler here")))
    with pytest.raises(CuelloError, match=r"no compiler here"):
        cuello.train(data=images, output=tmp_path / "run", report=False, compile=True, **small)


def test_what_compiles_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(network: nn.Module) -> Callable[[torch.Tensor], Output]:
        return lambda x, condition=None: Output(2 * x)

    monkeypatch.setattr(torch, "compile", doubled)
    found = compiled(nn.Identity())(torch.ones(1))
    assert isinstance(found, Output)
    assert found.image.item() == 2
