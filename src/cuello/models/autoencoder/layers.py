"""Activations by name, and how the weights before them start."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, TypeVar

import torch
from pydantic import BeforeValidator
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["tanh", "relu", "sigmoid", "elu", "gelu", "softplus", "linear"]
OutputActivation = Literal["sigmoid", "tanh", "linear"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "softplus": functional.softplus,
    "linear": lambda x: x,
}
SPLIT = BeforeValidator(lambda value: value.split("-") if isinstance(value, str) else value)
"""Lets whole numbers be written with hyphens, as 8-5-5."""

RECTIFIERS = ("relu", "elu", "gelu", "softplus")


LayerType = TypeVar("LayerType", bound=nn.Module)


def started(layer: LayerType, activation: str) -> LayerType:
    """Give a layer fresh weights for what follows it, zero bias, and return it.

    He's before rectifiers (He et al. 2015, equation 10), Glorot's before all others (Glorot and Bengio 2010, equation
    16), each from a uniform distribution.
    """
    weights: Any = layer
    if activation in RECTIFIERS:
        nn.init.kaiming_uniform_(weights.weight, nonlinearity="relu")
    else:
        nn.init.xavier_uniform_(weights.weight)
    nn.init.zeros_(weights.bias)
    return layer


def dense(widths: list[int], activation: str, last: str) -> list[nn.Linear]:
    """Return dense layers through ``widths``, with ``activation`` after each and ``last`` after the last one."""
    return [
        started(nn.Linear(a, b), last if position == len(widths) - 2 else activation)
        for position, (a, b) in enumerate(pairwise(widths))
    ]


def to_unit(x: Tensor, output: str) -> Tensor:
    """Bring what the last layer gives into [0, 1]: a sigmoid, a tanh moved there, or the numbers as they are."""
    if output == "sigmoid":
        return torch.sigmoid(x)
    return (torch.tanh(x) + 1) / 2 if output == "tanh" else x
