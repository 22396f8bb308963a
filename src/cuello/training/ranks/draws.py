"""Random numbers of a whole batch, of which each rank takes those of its own rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from cuello.core.share import DRAWING, RANDOM, ROWS, Rows
from cuello.training.ranks.together import Ranks

SHAPED = (torch.rand, torch.randn, torch.randint)
LIKE = (torch.rand_like, torch.randn_like, torch.randint_like)
IN_PLACE = (
    Tensor.bernoulli_, Tensor.cauchy_, Tensor.exponential_, Tensor.geometric_, Tensor.log_normal_, Tensor.normal_,
    Tensor.random_, Tensor.uniform_,
)  # fmt: skip
DROPOUT = (functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d)
BY_VALUE = (torch.poisson, torch.bernoulli)
"""What is drawn depends on values, of which each rank has its own: they are brought together first."""
DRAWS = {*SHAPED, *LIKE, *IN_PLACE, *DROPOUT, *BY_VALUE}


def seeded(seed: int, device: torch.device) -> None:
    """Seed what layers draw from."""
    if (random := RANDOM.get()) is not None:
        random.manual_seed(seed)
    elif device.type == "cpu":
        torch.default_generator.manual_seed(seed)  # torch's own seeds every device: .5 ms, and a note of each call
    else:
        torch.manual_seed(seed)


@contextmanager
def as_default(random: Generator) -> Iterator[None]:
    """Let torch's default generator go on from where another is, and that one from where it then is."""
    with DRAWING:
        torch.default_generator.set_state(random.get_state())
        yield
        random.set_state(torch.default_generator.get_state())


def may_draw(network: nn.Module) -> bool:
    """Tell whether a network may draw by torch's functions: somebody's own, one with torch's dropout, or with codes."""
    own = not type(network).__module__.startswith("cuello.")
    return own or any(isinstance(one, _DropoutNd) or getattr(one, "draws", False) for one in network.modules())


@contextmanager
def known_rows(rows: Rows | None) -> Iterator[None]:
    """Let the package's own layers know which rows of a whole batch they are given."""
    before = ROWS.set(rows)
    try:
        yield
    finally:
        ROWS.reset(before)


@contextmanager
def drawn_whole(rows: Rows | None, group: Ranks | None = None) -> Iterator[None]:
    """Let every draw of the block be that of the whole batch, so that an image's numbers do not depend on its rank.

    A draw is of the batch where its first axis, or its second, is as long as this rank's rows are many. So all ranks
    draw the same from the same generators, which one process would as well. group: the ranks, where all of them draw.
    """
    if rows is None:
        yield
        return
    with known_rows(rows), DrawnWhole(rows, group):
        yield


class DrawnWhole(TorchFunctionMode):
    """While it is on, torch's functions that draw numbers draw those of a whole batch and give a part of them."""

    def __init__(self, rows: Rows, group: Ranks | None):
        super().__init__()
        self.group, self.rows, self.random = group, rows, RANDOM.get()
        self.own = max(1, rows.count)  # a black image stands in for none
        self.start = min(rows.start, rows.whole - self.own)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if self.random is None or func not in DRAWS or kwargs.get("generator") is not None:
            return self.drawn(func, args, kwargs)
        with as_default(self.random):
            return self.drawn(func, args, kwargs)

    def drawn(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a function, of the whole batch where it draws."""
        if func in SHAPED:
            return self.shaped(func, args, kwargs)
        if func in LIKE and self.axis(args[0].shape) is not None:
            return self.part(func(self.like(args[0]), *args[1:], **kwargs), self.axis(args[0].shape))
        if func in IN_PLACE and self.axis(args[0].shape) is not None:
            whole = func(self.like(args[0]), *args[1:], **kwargs)
            return args[0].copy_(self.part(whole, self.axis(args[0].shape)))
        if func in DROPOUT and self.axis(args[0].shape) == 0:
            return args[0] * self.part(func(torch.ones_like(self.like(args[0])), *args[1:], **kwargs), 0)
        if func in BY_VALUE and self.group is not None and self.axis(args[0].shape) == 0:
            return self.part(func(self.brought_together(args[0], self.group), *args[1:], **kwargs), 0)
        return func(*args, **kwargs)

    def shaped(self, func: Callable[..., Tensor], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """Draw numbers of a shape that is given as one argument, or number by number."""
        given, place = list(args), next((n for n, one in enumerate(args) if isinstance(one, tuple | list)), None)
        if place is None and "size" not in kwargs and func is not torch.randint:
            given, place = [tuple(args)], 0
        shape = tuple(given[place]) if place is not None else tuple(kwargs.get("size", ()))
        axis = self.axis(shape)
        if axis is None:
            return func(*args, **kwargs)
        whole = (*shape[:axis], self.rows.whole, *shape[axis + 1 :])
        if place is None:
            kwargs["size"] = whole
        else:
            given[place] = whole
        return self.part(func(*given, **kwargs), axis)

    def axis(self, shape: Sequence[int]) -> int | None:
        """Find the axis of the batch; None where numbers are drawn for all of it alike."""
        return next((axis for axis, size in enumerate(shape[:2]) if size == self.own), None)

    def like(self, x: Tensor) -> Tensor:
        """Make a tensor like ``x`` of the whole batch, with the same order in memory."""
        axis = self.axis(x.shape) or 0
        plain = x.ndim != 4 or x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.contiguous_format if plain else torch.channels_last
        return torch.empty(
            (*x.shape[:axis], self.rows.whole, *x.shape[axis + 1 :]),
            dtype=x.dtype,
            device=x.device,
            memory_format=layout,
        )

    def part(self, whole: Tensor, axis: int | None) -> Tensor:
        """Take this rank's rows."""
        return whole.narrow(axis or 0, self.start, self.own)

    def brought_together(self, values: Tensor, group: Ranks) -> Tensor:
        """Return the values of the whole batch; where a rank lost some of its images, those of others stand there."""
        most = -(-self.rows.whole // group.ranks)
        padded = torch.cat([values, values.new_zeros(most - len(values), *values.shape[1:])])
        found = group.gathered(padded)
        counts = [group.share._replace(rank=rank).of(self.rows.whole).count for rank in range(group.ranks)]
        return torch.cat([one[:count] for one, count in zip(found, counts, strict=True)])
