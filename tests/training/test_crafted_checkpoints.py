"""A checkpoint that was changed, its checksum made anew, is refused before a step is made with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

import cuello
from cuello.core.errors import CuelloError
from cuello.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cuello.runs.directory import Run


def first_of(tensors: Any, change: Callable[[Any], Any]) -> Any:
    name = next(iter(tensors))
    return {**tensors, name: change(tensors[name])}


CHANGES: dict[str, Callable[[Checkpoint], Checkpoint]] = {
    "no best weights": lambda it: replace(it, best={}),
    "best weights of another shape": lambda it: replace(it, best=first_of(it.best, lambda t: t[None])),
    "weights missing": lambda it: replace(it, weights=dict(list(it.weights.items())[1:])),
    "weights that are no numbers": lambda it: replace(it, weights=first_of(it.weights, lambda t: t * torch.nan)),
    "a state too many": lambda it: replace(it, optimizer={**it.optimizer, 99: it.optimizer[0]}),
    "a state without its steps": lambda it: replace(it, optimizer={**it.optimizer, 0: {"step": torch.tensor(1.0)}}),
    "a state of another shape": lambda it: replace(
        it, optimizer=first_of(it.optimizer, lambda named: {**named, "exp_avg": torch.zeros(7, 7, 7)})
    ),
    "a state that is no number": lambda it: replace(
        it, optimizer=first_of(it.optimizer, lambda named: {key: t * torch.nan for key, t in named.items()})
    ),
    "epochs out of order": lambda it: replace(it, records=tuple(reversed(it.records))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_refused(copied: Run, name: str) -> None:
    save_checkpoint(copied.checkpoint_path, CHANGES[name](load_checkpoint(copied.checkpoint_path)))
    with pytest.raises(CuelloError, match=r"last\.safetensors"):
        cuello.resume(copied.path, epochs=3, report=False)
