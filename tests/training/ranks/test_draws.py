"""Parts of what ranks draw, put together, are what one process draws."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cuello.core.seeding import generator
from cuello.core.share import Share
from cuello.degrade import DEGRADATIONS, parse
from cuello.models.blocks import BitDropout
from cuello.training.ranks.draws import drawn_whole

WHOLE = 7
X = torch.linspace(0, 1, WHOLE * 3 * 4 * 5).view(WHOLE, 3, 4, 5)
LAST = X.contiguous(memory_format=torch.channels_last)
DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "rand": lambda x: torch.rand(x.shape),
    "rand, numbers": lambda x: torch.rand(len(x), 2),
    "rand, size": lambda x: torch.rand(size=(len(x), 1, 1, 1)),
    "randn, second axis": lambda x: torch.randn((9, len(x), 3)).movedim(1, 0),
    "randint": lambda x: torch.randint(5, x.shape),
    "randint, low and high": lambda x: torch.randint(2, 5, (len(x), 1)),
    "randn_like": torch.randn_like,
    "rand_like, channels last": lambda x: torch.rand_like(x.contiguous(memory_format=torch.channels_last)),
    "normal_": lambda x: torch.empty_like(x).normal_(),
    "bernoulli_": lambda x: torch.empty_like(x).bernoulli_(0.3),
    "dropout": lambda x: functional.dropout(x, 0.5),
    "dropout of maps": lambda x: functional.dropout2d(x, 0.5),
    "module": torch.nn.Dropout(0.3),
    "bits": BitDropout(0.3),
    "bits, channels last": lambda x: BitDropout(0.3)(x.contiguous(memory_format=torch.channels_last)),
    "one for all": lambda x: torch.rand(()) * x,
}
BY_VALUE = ("poisson", "camera")
"""Noise for which the ranks' values are brought together; the tests of trainings see to it."""


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("name", DRAWS)
def test_parts_of_a_draw_are_those_of_the_whole(name: str, ranks: int) -> None:
    torch.manual_seed(0)
    wanted = [DRAWS[name](X), torch.rand(3)]  # what comes after it is the same as well
    found = []
    for rank in range(ranks):
        rows = Share(rank, ranks).of(WHOLE)
        torch.manual_seed(0)
        with drawn_whole(rows):
            found.append(DRAWS[name](X[rows.slice]))
        torch.testing.assert_close(torch.rand(3), wanted[1], rtol=0, atol=0)
    torch.testing.assert_close(torch.cat(found), wanted[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", [one.name for one in DEGRADATIONS if one.name not in (*BY_VALUE, "missing-blocks")])
def test_parts_of_a_degraded_batch_are_those_of_the_whole(name: str) -> None:
    degradation, images = parse(name), torch.rand((WHOLE, 3, 16, 16), generator=generator(0, "test"))
    wanted = degradation(images, generator(1, "noise"))
    found = []
    for rank in range(2):
        rows = Share(rank, 2).of(WHOLE)
        with drawn_whole(rows):
            found.append(degradation(images[rows.slice], generator(1, "noise")))
    torch.testing.assert_close(torch.cat(found), wanted, rtol=0, atol=1e-6)


def test_without_rows_nothing_is_changed() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(WHOLE, 2)
    torch.manual_seed(0)
    with drawn_whole(None):
        assert torch.equal(torch.rand(WHOLE, 2), wanted)
