"""Optimisers by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cuello.core.config import TrainConfig
from cuello.core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimiser's name, one line about it, and how to make it from parameters and settings."""

    name: str
    summary: str
    make: "Callable[[Iterable[nn.Parameter], TrainConfig], torch.optim.Optimizer]"


def adam(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """Adam (Kingma and Ba 2015); weight decay joins the gradient."""
    import torch

    return torch.optim.Adam(parameters, config.learning_rate, weight_decay=config.weight_decay, fused=True)


def adamw(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """AdamW (Loshchilov and Hutter 2019); weight decay is apart from the gradient."""
    import torch

    return torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay, fused=True)


def sgd(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """Stochastic gradient descent with momentum, Nesterov's if asked for."""
    import torch

    return torch.optim.SGD(
        parameters,
        config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=True,
    )


def adadelta(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """Adadelta (Zeiler 2012); a learning rate of 1 is the paper's."""
    import torch

    return torch.optim.Adadelta(parameters, config.learning_rate, weight_decay=config.weight_decay)


def rmsprop(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """RMSprop (Hinton, lecture 6e) with momentum."""
    import torch

    return torch.optim.RMSprop(
        parameters, config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )


OPTIMIZERS: Registry[OptimizerSpec] = Registry(
    "optimiser",
    [
        OptimizerSpec("adam", "a good first choice", adam),
        OptimizerSpec("adamw", "Adam with decoupled weight decay", adamw),
        OptimizerSpec("sgd", "gradient descent, momentum, Nesterov", sgd),
        OptimizerSpec("adadelta", "adapts its own step sizes; learning rate 1", adadelta),
        OptimizerSpec("rmsprop", "scales by recent gradients", rmsprop),
    ],
)
