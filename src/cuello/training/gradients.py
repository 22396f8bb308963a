"""The gradients of a step: of one process, or summed over several."""

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.training.ranks.together import Ranks


class Summed(NamedTuple):
    """Of a whole batch: the sum of the images' losses, how many images, and whether a rank was asked to stop."""

    loss_sum: float
    images: int
    stop: bool = False


def backward(losses: Tensor) -> Summed:
    """Compute the gradients of the mean of the losses, ``(N,)``; CuelloError where it depends on no weight."""
    learnable(losses.mean()).backward()
    return Summed(float(losses.detach().sum()), len(losses))


def learnable(loss: Tensor) -> Tensor:
    """Return a loss; CuelloError where it depends on no weight."""
    if not loss.requires_grad:
        raise CuelloError(
            "the loss depends on no weight of the network, so that nothing can be learned: the network has no weights, "
            "or the network or the loss leaves the gradient out (torch.no_grad, detach, NumPy)."
        )
    return loss


def summed_backward(network: nn.Module, losses: Tensor, group: Ranks) -> Summed:
    """Put the gradients of the mean loss of all ranks' images into the parameters of each rank, the same bits in all.

    losses: of this rank's images, ``(N,)``. Where no image is left on any rank, there is no gradient.
    """
    learnable(losses.sum()).backward()
    parameters = [one for one in network.parameters() if one.requires_grad]
    kind = reduce(torch.promote_types, (one.dtype for one in parameters), torch.float32)
    own = [torch.zeros_like(one) if one.grad is None else one.grad.to_dense() for one in parameters]
    used = losses.new_tensor([float(one.grad is not None) for one in parameters])
    about = [losses.detach().sum().view(1), losses.new_tensor([len(losses)])]
    told = group.counted(torch.cat([one.reshape(-1).to(kind) for one in (*own, used, *about)]))
    total = group.summed(torch.cat([told, told.new_tensor([float(group.stop.is_set())])]))
    *sums, used, loss_sum, images, stop = total.split([*(one.numel() for one in parameters), len(parameters), 1, 1, 1])
    for parameter, summed, times in zip(parameters, sums, used.tolist(), strict=True):
        parameter.grad = torch.empty_like(parameter).copy_(summed.view_as(parameter) / images) if times else None
    return Summed(float(loss_sum), int(images), bool(stop))
