"""Muon: steps along the momentum with all its directions made equally long."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""a, b and c of a s + b s³ + c s⁵, which brings every s of (0, 1] near to 1 when applied five times."""


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return ``U Vᵀ`` of a matrix ``U S Vᵀ``, roughly: its singular values come to .7 to 1.2, those near 0 stay there.

    matrix: ``(rows, columns)``, floating point. A single row becomes of unit length, roughly.

    >>> bool(torch.linalg.svdvals(orthogonalised(torch.diag(torch.tensor([100.0, 1.0])))).min() > 0.5)
    True

    Source: the Newton-Schulz iteration with the coefficients of Jordan et al. 2024, "Muon: an optimizer for hidden
    layers in neural networks".
    """
    a, b, c = QUINTIC
    high = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if high else matrix
    x = x / x.norm().clamp(min=torch.finfo(x.dtype).tiny)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if high else x


class Muon(torch.optim.Optimizer):
    """Muon for kernels and vectors alike: plain convolutions learn more in their first minutes than with Adam.

    ``m ← momentum · m + g``, ``w ← (1 - rate · decay) · w - rate · .2 · √max(rows, columns) · orthogonalised(g +
    momentum · m)``

    A kernel ``(out, in, …)`` is a matrix of ``out`` rows, a vector one of a single row, so that every step changes a
    weight by about a fifth of the rate. torch's own Muon takes matrices alone, and needs another optimiser beside it.

    parameters: what to train. lr: the rate, above 0. momentum: 0 to 1. weight_decay: 0 or more.

    >>> weights = nn.Parameter(torch.ones(4, 2, 3, 3))
    >>> optimizer = Muon([weights], lr=0.01)
    >>> weights.square().sum().backward()
    >>> optimizer.step()
    >>> bool((weights < 1).all())
    True

    Source: Jordan et al. 2024; steps as long as Adam's, Liu et al. 2025, "Muon is scalable for LLM training", section
    2.2.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float = 1e-2, momentum: float = 0.95, weight_decay: float = 0.0
    ):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Change all parameters that have a gradient. closure: as torch's optimisers take one; not used."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._change(weights, group)

    def _change(self, weights: nn.Parameter, group: dict[str, Any]) -> None:
        state, gradient = self.state[weights], weights.grad
        if "average" not in state:
            state["average"] = torch.zeros_like(weights)
        average = state["average"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient + group["momentum"] * average  # Nesterov's
        matrix = ahead.flatten(1) if ahead.ndim > 1 else ahead.view(1, -1)
        change = orthogonalised(matrix).view_as(weights)
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        weights.sub_(change, alpha=group["lr"] * 0.2 * max(matrix.shape) ** 0.5)
