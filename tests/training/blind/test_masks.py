"""Blind spots: what is hidden, what stands in its place, and that nothing of it is left to see."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cuello.core.seeding import generator
from cuello.training.blind.base import KnownNoise
from cuello.training.blind.masks import blind_spot, block, hide, mirrored, nearest


def drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=generator(0, "test"))


def test_in_a_hidden_pixel_stands_one_of_the_eight_around_it() -> None:
    image = torch.arange(25.0).view(1, 1, 5, 5)
    for seed in range(20):
        seen, hidden = hide(image, (0, 0), generator(seed, "masks"))
        (row, column) = hidden[0, 0].nonzero()[0].tolist()
        around = [
            float(image[0, 0, mirror(row + down), mirror(column + right)])
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if (down, right) != (0, 0)
        ]
        assert float(seen[0, 0, row, column]) in around
        kept = hidden == 0
        assert torch.equal(seen[kept], image[kept])


def mirror(place: int) -> int:
    return -place if place < 0 else 8 - place if place > 4 else place


@given(
    height=st.integers(4, 20), width=st.integers(4, 20), up=st.integers(0, 2), left=st.integers(0, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_what_is_hidden_tells_nothing(height: int, width: int, up: int, left: int, seed: int) -> None:
    """Whatever value a hidden pixel and those with noise in common have, the network sees the same."""
    image = drawn(2, 3, height, width)
    _, hidden = hide(image, (up, left), generator(seed, "masks"))
    assert hidden.shape == (2, 1, height, width)
    assert (hidden.flatten(1).sum(1) >= 1).all()
    row, column = hidden[0, 0].nonzero()[0].tolist()
    changed = image.clone()
    for down, right in block((up, left)):
        if 0 <= row + down < height and 0 <= column + right < width:
            changed[0, :, row + down, column + right] = 7.0
    again, _ = hide(changed, (up, left), generator(seed, "masks"))
    if up + 2 <= row < height - up - 2 and left + 2 <= column < width - left - 2:  # else candidates may be mirrored
        assert (again[0, :, row - up : row + up + 1, column - left : column + left + 1] < 7).all()


def test_masks_are_the_generators() -> None:
    image = drawn(3, 1, 12, 12)
    one, other = (hide(image, (0, 1), generator(5, "masks")) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[1], hide(image, (0, 1), generator(6, "masks"))[1])


def test_every_pixel_can_be_hidden() -> None:
    image = drawn(400, 1, 6, 7)
    _, hidden = hide(image, (0, 0), generator(0, "masks"))
    assert (hidden.sum(0) > 0).all()


def test_a_mask_along_a_row_leaves_that_row_out() -> None:
    assert block((0, 2)) == ((0, -2), (0, -1), (0, 0), (0, 1), (0, 2))
    assert nearest((0, 0)) == ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
    assert all(down != 0 or abs(right) > 2 for down, right in nearest((0, 2)))


def test_mirrored_places() -> None:
    assert mirrored(torch.tensor([-2, -1, 0, 3, 4, 5]), 4).tolist() == [2, 1, 0, 3, 2, 1]
    assert mirrored(torch.tensor([-1, 0, 1]), 1).tolist() == [0, 0, 0]


def test_only_hidden_pixels_count() -> None:
    """The loss of a network that answers 0: the mean square of the hidden values."""
    image = drawn(2, 3, 8, 8)
    pair = blind_spot((image,), KnownNoise(), generator(3, "masks"))
    assert pair.loss is not None
    _, hidden = hide(image, (0, 0), generator(3, "masks"))
    for row, value in enumerate(pair.loss(torch.zeros_like).tolist()):
        picked = image[row][:, hidden[row, 0] == 1]
        assert abs(value - float(picked.square().mean())) < 1e-6
