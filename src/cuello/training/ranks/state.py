"""What all ranks have in common, because rank 0 sends it to them."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cuello.core.types import StepResult
from cuello.training.ranks.together import Ranks


def spread(
    network: nn.Module, optimizer: torch.optim.Optimizer, average: Mapping[str, Tensor], *, group: Ranks
) -> None:
    """Give all ranks the weights, their average, and the optimiser's state that rank 0 has.

    They are the same already, but where processors of several kinds round differently.
    """
    weights = network.state_dict()
    send([*weights.values(), *(average[name] for name in weights if name in average)], group)
    states = optimizer.state_dict()
    own = tensors_in(states["state"])
    listed = [[*place, list(one.shape), str(one.dtype).partition(".")[2]] for place, one in own.items()]
    said = group.first(listed)
    if listed != said:
        own = {(position, name): torch.zeros(shape, dtype=getattr(torch, kind)) for position, name, shape, kind in said}
        send(own.values(), group)
        states["state"] = {position: {} for position, _ in own}
        for (position, name), one in own.items():
            states["state"][position][name] = one
        optimizer.load_state_dict(states)
    else:
        send(own.values(), group)


def tensors_in(states: Mapping[int, Mapping[str, Any]]) -> dict[tuple[int, str], Tensor]:
    """List the tensors of an optimiser's state, by the parameter's position and their name."""
    every = {(position, name): value for position, named in states.items() for name, value in named.items()}
    return {place: every[place] for place in sorted(every) if isinstance(every[place], Tensor)}


def send(tensors: Iterable[Tensor], group: Ranks) -> None:
    """Replace tensors by those of rank 0, those of one type and device in one message."""
    alike: dict[Any, list[Tensor]] = {}
    for one in tensors:
        alike.setdefault((one.dtype, one.device), []).append(one.detach())
    for those in alike.values():
        whole = torch.cat([one.reshape(-1) for one in those])
        group.sent(whole)
        for one, part in zip(those, whole.split([one.numel() for one in those]), strict=True):
            one.copy_(part.view(one.shape))


def combined(result: StepResult, group: Ranks | None) -> StepResult:
    """Return the sums over the images of all ranks, added by their number."""
    if group is None:
        return result
    told = group.told([result.loss_sum, result.images, result.terms])
    names = {name: None for _, _, terms in told for name in terms}  # in their order
    terms = {name: sum((one.get(name, 0.0) for _, _, one in told), 0.0) for name in names}
    return StepResult(sum(one for one, _, _ in told), sum(images for _, images, _ in told), terms)
