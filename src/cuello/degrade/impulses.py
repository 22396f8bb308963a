"""Noise on some pixels only: salt and pepper, inversion, missing pixels and blocks."""

from typing import Any, Literal

import pydantic
import torch
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.degrade.base import Degradation, Quantity, quantity

Per = Literal["pixel", "channel"]
PER: Any = pydantic.Field(
    default="pixel", description="pixel: all channels of a pixel together; channel: each value on its own"
)


def smallest(scores: Tensor, counts: Tensor) -> Tensor:
    """Mark the ``counts[n]`` smallest entries of each row of ``scores``: ``(N, P)`` and ``(N,)`` to ``(N, P)`` bool."""
    order = scores.argsort(dim=1)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(scores.shape[1]).expand_as(order))
    return ranks < counts[:, None]


class SaltPepper(Degradation):
    """Impulses: a share of the pixels becomes white (salt) or black (pepper).

    y = 1 where u < amount · salt, 0 where amount · salt ≤ u < amount, x elsewhere, with u ~ U(0, 1).
    """

    name = "salt-pepper"
    summary = "a share of the pixels becomes white or black: dead and hot pixels, bit errors"
    main = "amount"
    network = "impulse-s"
    amount: Quantity = quantity(0.2, "how many of the pixels (or values) are hit", "share", limits=(0, 1))
    salt: Quantity = quantity(0.5, "how many of those become white", "share", limits=(0, 1))
    per: Per = PER
    draws: Literal["independent", "exact"] = pydantic.Field(
        default="independent",
        description="independent: each with probability `amount`; exact: that share to the nearest whole number",
    )

    @property
    def extremes(self) -> bool:
        return True

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        count, channels, height, width = images.shape
        shape = (count, channels if self.per == "channel" else 1, height, width)
        amount, salt = values["amount"], values["salt"]
        u = torch.rand(shape, generator=generator)
        if self.draws == "exact":
            places = u[0].numel()
            hits = (amount.view(-1) * places).round()
            hit = smallest(u.view(count, -1), hits).view(shape)
            white = smallest(u.view(count, -1), (hits * salt.view(-1)).round()).view(shape)
        else:
            hit, white = u < amount, u < amount * salt
        hit, white = hit.to(images.device), white.to(images.device)
        return torch.where(hit, white.to(images.dtype), images)


class Invert(Degradation):
    """Inversion of exactly k pixels an image, y = 1 - x there, all channels together."""

    name = "invert"
    summary = "exactly k pixels per image become their opposite, 1 - x"
    main = "count"
    count: Quantity = quantity(3, "how many pixels per image", "pixels", limits=(0, 1e9), whole=True)

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        count, _, height, width = images.shape
        if values["count"].max() > height * width:
            raise CuelloError(
                f"invert: {int(values['count'].max())} pixels were asked for, but an image has {height} × {width} = "
                f"{height * width}. Ask for fewer."
            )
        u = torch.rand((count, height * width), generator=generator)
        hit = smallest(u, values["count"].view(-1)).view(count, 1, height, width).to(images.device)
        return torch.where(hit, 1 - images, images)


class Missing(Degradation):
    """Missing pixels: a share of them is replaced by a constant, y = fill where u < amount."""

    name = "missing"
    summary = "a share of the pixels is missing and holds a constant"
    main = "amount"
    network = "impulse-s"
    amount: Quantity = quantity(0.5, "how many of the pixels are missing", "share", limits=(0, 1))
    fill: Quantity = quantity(0, "what a missing pixel holds", "0 black to 1 white", limits=(0, 1))
    per: Per = PER

    @property
    def extremes(self) -> bool:
        return self.fill in (0, 1)

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        count, channels, height, width = images.shape
        u = torch.rand((count, channels if self.per == "channel" else 1, height, width), generator=generator)
        hit = (u < values["amount"]).to(images.device)
        return torch.where(hit, values["fill"].to(images), images)


class MissingBlocks(Degradation):
    """Missing squares: ``count`` blocks of ``size`` pixels, inside the image, hold a constant; they may overlap."""

    name = "missing-blocks"
    summary = "square holes that hold a constant"
    main = "count"
    network = "impulse-s"
    count: Quantity = quantity(4, "how many squares per image", "squares", limits=(0, 10000), whole=True)
    size: Quantity = quantity(8, "side of a square (cut to the image)", "pixels", limits=(1, 10000), whole=True)
    fill: Quantity = quantity(0, "what a missing pixel holds", "0 black to 1 white", limits=(0, 1))

    @property
    def extremes(self) -> bool:
        return self.fill in (0, 1)

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        count, _, height, width = images.shape
        most = int(values["count"].max())
        hit = torch.zeros((count, height, width), dtype=torch.bool)
        position = torch.rand((2, count, most), generator=generator)
        rows, columns = torch.arange(height)[None, :, None], torch.arange(width)[None, None, :]
        size = values["size"].view(-1)
        side_y, side_x = size.clamp(max=height), size.clamp(max=width)
        for block in range(most):
            top = (position[0, :, block] * (height - side_y + 1)).floor()[:, None, None]
            left = (position[1, :, block] * (width - side_x + 1)).floor()[:, None, None]
            inside = (rows >= top) & (rows < top + side_y[:, None, None])
            inside = inside & (columns >= left) & (columns < left + side_x[:, None, None])
            hit |= inside & (block < values["count"].view(-1, 1, 1))
        return torch.where(hit[:, None].to(images.device), values["fill"].to(images), images)
