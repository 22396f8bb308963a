"""Optimisers by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import Part, failing, parameters_of
from cuello.core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimiser's name, one line about it, and how to make it from parameters and settings.

    whole_kernels: whether it looks at a kernel as a whole, so that those of several networks cannot be put in a row.
    """

    name: str
    summary: str
    make: "Callable[[Iterable[nn.Parameter], TrainConfig], torch.optim.Optimizer]"
    whole_kernels: bool = False


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


def muon(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """Muon (Jordan et al. 2024), for kernels and vectors alike; Nesterov's momentum of .95, whatever is asked for."""
    from cuello.training.muon import Muon

    return Muon(parameters, config.learning_rate, weight_decay=config.weight_decay)


def own_optimizer(part: Part) -> OptimizerSpec:
    """Take a class of one's own, or a function that makes one, as an optimiser.

    It is called with the parameters, with its arguments, and with those of lr, weight_decay, momentum and nesterov that
    it takes. What it keeps for a parameter has to be tensors, which alone are saved to go on from.
    """

    def make(parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
        import torch

        tried = nn_parameter()
        optimizer = made_optimizer(part, [tried], config)
        with failing(f"the optimiser {part.text}"):
            optimizer.step()
        for name, value in optimizer.state[tried].items():
            if not isinstance(value, torch.Tensor):
                raise CuelloError(
                    f"the optimiser {part.text} keeps {name!r} as {type(value).__name__}, and only tensors are saved "
                    f"to go on from: write torch.tensor({value!r})."
                )
        return made_optimizer(part, parameters, config)

    return OptimizerSpec(part.text, part.summary, make)


def nn_parameter() -> "nn.Parameter":
    """Return a parameter with a gradient, to try an optimiser on."""
    import torch

    tried = torch.nn.Parameter(torch.zeros(1))
    tried.grad = torch.zeros(1)
    return tried


def made_optimizer(part: Part, parameters: "Iterable[nn.Parameter]", config: TrainConfig) -> "torch.optim.Optimizer":
    """Make an optimiser of one's own; CuelloError where that fails, or it is none."""
    import torch

    offered = {
        "lr": config.learning_rate, "weight_decay": config.weight_decay, "momentum": config.momentum,
        "nesterov": config.nesterov,
    }  # fmt: skip
    first = next(iter(parameters_of(part.thing)), "params")
    optimizer = part.made(**{first: parameters}, **offered)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise CuelloError(f"{part.text} made {type(optimizer).__name__}, needed a torch.optim.Optimizer.")
    return optimizer


OPTIMIZERS: Registry[OptimizerSpec] = Registry(
    "optimiser",
    [
        OptimizerSpec("adam", "a good first choice", adam),
        OptimizerSpec("adamw", "Adam with decoupled weight decay", adamw),
        OptimizerSpec("sgd", "gradient descent, momentum, Nesterov", sgd),
        OptimizerSpec("adadelta", "adapts its own step sizes; learning rate 1", adadelta),
        OptimizerSpec("rmsprop", "scales by recent gradients", rmsprop),
        OptimizerSpec(
            "muon", "all directions of a kernel alike: fewer steps for convolutions", muon, whole_kernels=True
        ),
    ],
    adopt=own_optimizer,
)
