"""Blind spots: pixels are hidden from the network, which is to guess them from what surrounds them.

Noise that is each pixel's own cannot be guessed, so the best guess is the clean value.

Source: Krull, Buchholz and Jug 2019, "Noise2Void - learning denoising from single noisy images"; what is put in the
hidden pixel's place: Höck et al. 2022, "N2V2 - fixing Noise2Void checkerboard artifacts with modified sampling
strategies and a tweaked network architecture"; masks for noise with structure: Broaddus et al. 2020, "Removing
structured noise with self-supervised blind-spot networks".
"""

from functools import cache

import torch
from torch import Generator, Tensor

from cuello.core.types import Pair, Run
from cuello.training.blind.base import Copies, KnownNoise

APART = 4
"""Pixels from one hidden pixel to the next along a side, on average, where the noise is each pixel's own."""
CANDIDATES = 8
"""Nearest pixels, of those whose noise is another, that may stand in a hidden pixel's place."""


def blind_spot(copies: Copies, known: KnownNoise, random: Generator) -> Pair:
    """Hide pixels and compare the network's guesses with what was there.

    ``mean over hidden pixels of (f(x with them hidden) - x)²``
    """
    images = copies[0]
    seen, hidden = hide(images, known.reach, random)

    def loss(run: Run) -> Tensor:
        errors = (run(seen) - images).square() * hidden
        return errors.flatten(1).sum(1) / (images.shape[1] * hidden.flatten(1).sum(1))

    return Pair(seen, images, known.levels(images), loss=loss)


def hide(images: Tensor, reach: tuple[int, int], random: Generator) -> tuple[Tensor, Tensor]:
    """Hide pixels, one in every box of a grid; return what is left to see, and which were hidden, ``(N, 1, H, W)``.

    In the place of a hidden pixel, and of those with noise in common, stands one of the nearest others, drawn at
    random: as noisy as the rest, so that a network cannot tell which are hidden, and learns to make nothing of any
    pixel's own value. (Their median, which N2V2 has as well, is so good a guess that small networks pass it on, and
    with it the noise of pixels that are not hidden.) reach: see ``KnownNoise``.
    """
    count, channels, height, width = images.shape
    rows, columns = centres(images.shape, reach, random)  # each (N, hidden)
    alike, near = torch.tensor(block(reach)), torch.tensor(nearest(reach))
    drawn = near[torch.randint(len(near), (*rows.shape, len(alike)), generator=random)]  # (N, hidden, alike, 2)

    def places(steps: Tensor) -> Tensor:
        """Give the pixels so far from each centre, ``(N, 1, hidden · steps)``."""
        down = mirrored(rows[..., None] + steps[..., 0], height)
        return (
            (down * width + mirrored(columns[..., None] + steps[..., 1], width)).flatten(1)[:, None].to(images.device)
        )

    flat = images.reshape(count, channels, height * width)
    others = flat.gather(2, places(drawn).expand(-1, channels, -1))
    seen = flat.scatter(2, places(alike).expand(-1, channels, -1), others)
    hidden = torch.zeros_like(flat[:, :1]).scatter_(2, places(torch.zeros(1, 2, dtype=torch.long)), 1.0)
    return seen.view_as(images), hidden.view(count, 1, height, width)


def centres(shape: torch.Size, reach: tuple[int, int], random: Generator) -> tuple[Tensor, Tensor]:
    """Draw rows and columns of the pixels to hide, ``(N, hidden)`` each: one a box, anywhere in it."""
    count, _, height, width = shape
    sides = [
        min(APART * (2 * one + 1) if one else APART, side) for one, side in zip(reach, (height, width), strict=True)
    ]
    boxes = [side // box for box, side in zip(sides, (height, width), strict=True)]
    found = []
    for axis, side in enumerate((height, width)):
        begin = torch.arange(boxes[axis]) * sides[axis]
        grid = begin[:, None].expand(*boxes) if axis == 0 else begin[None].expand(*boxes)
        moved = torch.randint(side, (count, 1), generator=random)
        inside = torch.randint(sides[axis], (count, boxes[0] * boxes[1]), generator=random)
        found.append((grid.flatten() + moved + inside) % side)
    return found[0], found[1]


def mirrored(places: Tensor, side: int) -> Tensor:
    """Bring places outside 0 to side - 1 back, as in a mirror at the first and the last."""
    if side == 1:
        return torch.zeros_like(places)
    period = 2 * (side - 1)
    places = places.remainder(period)
    return torch.where(places < side, places, period - places)


@cache
def block(reach: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """List the pixels, as steps from a hidden one, whose noise tells something of its own, itself included."""
    up, left = reach
    return tuple((row, column) for row in range(-up, up + 1) for column in range(-left, left + 1))


@cache
def nearest(reach: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """List the nearest pixels, as steps from a hidden one, whose noise is another."""
    up, left = reach
    inside = set(block(reach))
    around = [
        (row, column)
        for row in range(-up - 2, up + 3)
        for column in range(-left - 2, left + 3)
        if (row, column) not in inside
    ]
    return tuple(sorted(around, key=lambda step: (step[0] ** 2 + step[1] ** 2, step))[:CANDIDATES])
