"""Parts of one's own, one of each kind and form, for the tests of the tables."""

import math

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim.optimizer import ParamsT

from cuello.degrade import Degradation
from cuello.degrade.base import quantity


class Net(nn.Module):
    def __init__(self, channels: int, width: int = 4):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Coded(nn.Module):
    def __init__(self, height: int, width: int, latent: int = 2):
        super().__init__()
        self.shape = (1, height, width)
        self.first, self.last = nn.Linear(height * width, latent), nn.Linear(latent, height * width)

    def encode(self, x: Tensor) -> Tensor:
        return self.first(x.flatten(1))

    def decode(self, code: Tensor) -> Tensor:
        return self.last(code).view(-1, *self.shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Telling(nn.Module):
    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def edges(image: Tensor, target: Tensor, weight: float = 1.0) -> Tensor:
    """Pixels and steps to the right."""
    steps = (image.diff(dim=3) - target.diff(dim=3)).abs().flatten(1).mean(1)
    return (image - target).abs().flatten(1).mean(1) + weight * steps


edges.unit = "steps"


class Edges(nn.Module):
    """The same as a module, a value a pixel."""

    def __init__(self, weight: float = 1.0):
        super().__init__()
        self.weight = weight

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        return self.weight * (image - target).abs()


def stripes(images: Tensor, generator: Generator, amount: float = 0.2, size: int = 2) -> Tensor:
    """Rows of other brightness."""
    count, _, height, _ = images.shape
    rows = torch.rand((count, 1, -(-height // size), 1), generator=generator).repeat_interleave(size, dim=2)
    return images + amount * (rows[:, :, :height] - 0.5)


def dots(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Images with labels."""
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8), np.arange(count) % 2


class Stripes:
    """A noise that is made with its parameters and then called."""

    def __init__(self, amount: float = 0.2, kind: str = "all", on: bool = True):
        self.amount = amount

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        return images + self.amount


class Brighter(Degradation):
    name = "brighter"
    summary = "adds"
    main = "by"
    by: float = quantity(0.1, "what is added", "out of 1", limits=(0, 1))

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        return images + values["by"]


def shifted(image: np.ndarray, strength: float) -> np.ndarray:
    return np.roll(image, int(strength), axis=0)


shifted.strengths = (1, 2)
shifted.label = "shift"


class Kept:
    def __call__(self, image: np.ndarray) -> np.ndarray:
        return image


class Signs(torch.optim.Optimizer):
    def __init__(self, params: ParamsT, lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.sub_(group["lr"] * weight.grad.sign())


class Heavy(torch.optim.Optimizer):
    def __init__(self, params: ParamsT, lr: float, friction: float = 0.1):
        super().__init__(params, {"lr": lr, "friction": friction})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                speed = state.get("speed", torch.zeros_like(weight))
                state["speed"] = (1 - group["friction"]) * speed + weight.grad
                weight.sub_(group["lr"] * state["speed"])


class Counting(Signs):
    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        super().step()
        for group in self.param_groups:
            for weight in group["params"]:
                self.state[weight]["count"] = self.state[weight].get("count", 0) + 1


def waves(progress: float, count: int = 2) -> float:
    return 0.5 + 0.5 * math.cos(count * math.pi * progress)


def late(config: object, progress: float, history: object) -> float:
    return progress
