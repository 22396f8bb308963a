"""A network that sees images whose noise is even: the transform before it, and the way back behind it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.types import Output
from cuello.models.base import ImageNetwork, as_output
from cuello.noise_models.model import NoiseModel

ROOT = math.sqrt(1.5)
"""The transform of no count at all: below it lie no expected values."""


@dataclass(frozen=True)
class Domain:
    """The values that a network sees: noise of one deviation everywhere, black and white being 0 and 1.

    models: the noise of each channel, in the unit in which white is 1; each with noise. Every channel is divided by the
    same number, so that the noise of all is ``level``.

    >>> domain = Domain((NoiseModel(gain=0, base=0.01),))
    >>> round(domain.level, 3), domain.into(torch.full((1, 1, 1, 1), 0.5)).item()
    (0.1, 0.5)
    """

    models: Sequence[NoiseModel]

    @property
    def level(self) -> float:
        """The noise's standard deviation in what the network sees."""
        return 1 / self.scale

    @cached_property
    def scale(self) -> float:
        """What the stabilised values are divided by: what white is above black, of the channel where that is most."""
        ends = [self.channel_into(torch.tensor([0.0, 1.0], dtype=torch.float64), model) for model in self.models]
        return max(float(black_white[1] - black_white[0]) for black_white in ends)

    def into(self, images: Tensor) -> Tensor:
        """Transform images ``(N, C, H, W)``, white being 1, into what the network sees: stabilised and scaled."""
        self.check(images)
        parts = [self.channel_into(images[:, place], model) for place, model in enumerate(self.models)]
        return torch.stack(parts, 1) / self.scale

    def back(self, seen: Tensor) -> Tensor:
        """Return to white being 1 from restored images, without bias: ``noise_models.stabilise.restore``."""
        self.check(seen)
        parts = [self.channel_back(seen[:, place] * self.scale, model) for place, model in enumerate(self.models)]
        return torch.stack(parts, 1)

    def check(self, images: Tensor) -> None:
        if images.shape[1] != len(self.models):
            raise CuelloError(f"got images of {images.shape[1]} channels, needed {len(self.models)}.")

    # Written as differences from black, so that a gain near 0 loses no digits, and a gain of 0 is no other case.

    def channel_into(self, x: Tensor, model: NoiseModel) -> Tensor:
        gain, dark = model.gain, self.dark(model)
        if dark < 0:
            return 2 / gain * (gain * x + dark).clamp(min=0).sqrt()
        return (
            2
            * torch.maximum(x, x.new_tensor(-dark / gain if gain else -math.inf))
            / ((gain * x + dark).clamp(min=0).sqrt() + math.sqrt(dark))
        )

    def channel_back(self, e: Tensor, model: NoiseModel) -> Tensor:
        gain, dark = model.gain, self.dark(model)
        if gain == 0:
            return e * math.sqrt(dark)
        root = math.sqrt(max(dark, 0))
        e = torch.maximum(e, e.new_tensor(ROOT - 2 * root / gain))
        h = gain / (gain * e + 2 * root)
        light = gain * e**2 / 4 + e * root + gain * (0.25 + ROOT / 4 * h - 11 / 8 * h**2 + 5 / 8 * ROOT * h**3)
        if dark < 0:  # where there is no noise at 0, values are counted from the darkest that has
            light = light - gain * 0.375 - model.base / gain
        return light

    @staticmethod
    def dark(model: NoiseModel) -> float:
        return 0.375 * model.gain**2 + model.base


class Stabilised(ImageNetwork):
    """A trained network with its domain: ``back(network(into(x)))``.

    It is told the noise's level, if it takes one, and nobody else has to.
    """

    def __init__(self, network: ImageNetwork, domain: Domain):
        super().__init__()
        self.network, self.domain = network, domain
        self.channels, self.stride, self.size = network.channels, network.stride, network.size
        self.receptive_field, self.has_code = network.receptive_field, network.has_code

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        seen = self.domain.into(x)
        told = self.network.condition(seen, seen.new_full((x.shape[0], 1, 1, 1), self.domain.level))
        return Output(self.domain.back(as_output(self.network(seen, told)).image.float()))

    def encode(self, x: Tensor) -> Tensor:
        return self.network.encode(self.domain.into(x))

    def decode(self, latent: Tensor) -> Tensor:
        return self.domain.back(self.network.decode(latent))
