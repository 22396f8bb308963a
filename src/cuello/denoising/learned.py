"""The transform learned on the user's own images, around a network that stays as it is.

Noise that is made quite even suits a network for white noise, and no model knows the true transform as well as the
images do. A monotone curve f and a way back g, both of straight pieces, begin as the transform of the noise model. They
are learned by hiding pixels: what the network makes of a pixel from its surroundings, ``g(D(f(x)))``, cannot know its
noise, and so has the least squared difference from the noisy pixel where it is nearest to the clean one.

Source: Herbreteau and Unser 2024, "Self-calibrated variance-stabilizing transformations for real-world image denoising"
(Noise2VST); Batson and Royer 2019, "Noise2Self", for the loss.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.progress import OnProgress, Progress, silent
from cuello.core.seeding import generator, numpy_generator
from cuello.denoising.planes import drawn_crop, side_of
from cuello.denoising.quick import STRONGEST, Transform, deviation_told
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork
from cuello.noise_models.stabilise import restore, stabilise
from cuello.noise_models.survey import NoiseSurvey
from cuello.noise_models.whiteness import phases

KNOTS = 48
"""Straight pieces of a curve, a knot less."""
STEPS, CROPS, SIDE = 80, 3, 96
"""Steps of learning, crops in each, and their side in pixels."""
RATE = 0.02
GRID = 4
"""One of so many pixels along each side is hidden at a time."""


class Curve(nn.Module):
    """An increasing curve of straight pieces through knots, learned by the heights of its pieces.

    knots, heights: ``(K,)``, increasing. Beyond the ends it goes on as its last piece does.
    """

    def __init__(self, knots: np.ndarray, heights: np.ndarray):
        super().__init__()
        self.knots = torch.from_numpy(knots).float()
        self.first = nn.Parameter(torch.tensor(float(heights[0])))
        rises = np.maximum(np.diff(heights), 1e-4 * np.ptp(heights) / len(knots))
        self.rises = nn.Parameter(torch.from_numpy(np.log(rises)).float())

    def heights(self) -> Tensor:
        return self.first + functional.pad(self.rises.exp().cumsum(0), (1, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the curve's height at values of any shape."""
        knots, heights = self.knots, self.heights()
        place = torch.searchsorted(knots, x.contiguous()).clamp(1, len(knots) - 1)
        share = (x - knots[place - 1]) / (knots[place] - knots[place - 1])
        return heights[place - 1] + share * (heights[place] - heights[place - 1])


@dataclass(frozen=True)
class TransformPair:
    """The transform that is learned: ``there`` makes noise of the deviation ``sigma``, ``back`` undoes it.

    low, span: of the values, which the curves take from 0 to 1.
    """

    there: Curve
    back: Curve
    sigma: float
    low: float
    span: float

    def transform(self) -> Transform:
        """Return the transform as arrays go through it."""
        with torch.no_grad():
            curves = [(one.knots.double().numpy(), one.heights().double().numpy()) for one in (self.there, self.back)]
        there, back = curves
        return Transform(
            lambda values: along(there, (values - self.low) / self.span),
            lambda even: along(back, even) * self.span + self.low,
            self.sigma,
        )


def along(curve: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Give the height of a curve of knots and heights at values, which it goes on beyond as it ends."""
    knots, heights = curve
    place = np.searchsorted(knots, values).clip(1, len(knots) - 1)
    slope = np.diff(heights) / np.diff(knots)
    return heights[place - 1] + (values - knots[place - 1]) * slope[place - 1]


def learned(
    images: Sequence[np.ndarray],
    survey: NoiseSurvey,
    network: Model,
    *,
    seed: int = 0,
    seconds: float = 45.0,
    progress: OnProgress = silent,
) -> TransformPair:
    """Learn the transform of images ``(H, W)`` that have one kind of noise; the same images and seed, the same curves.

    seconds: after which it ends before its last step, on slow machines.
    """
    parts = [part for image in images for part in phases(image, survey.spacing)]
    curves = beginning(parts, survey)
    optimizer = torch.optim.Adam([*curves.there.parameters(), *curves.back.parameters()], lr=RATE)
    scale = float(np.median(survey.model.variance(np.concatenate([part.ravel()[::97] for part in parts]))))
    begun = time.monotonic()
    for step in range(STEPS):
        if time.monotonic() - begun > seconds:
            break
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        crops = torch.from_numpy(crops_of(parts, seed, step)).float()
        hidden, mask = hide(crops, seed, step)
        made = through(curves, (hidden - curves.low) / curves.span, network.network) * curves.span + curves.low
        loss = ((made - crops)[mask] ** 2).mean() / scale
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(Progress("learning", step + 1, STEPS))
    return curves


def beginning(parts: Sequence[np.ndarray], survey: NoiseSurvey) -> TransformPair:
    """Begin with the noise model's transform, knots where the values are."""
    values = np.concatenate([part.ravel()[:: max(1, part.size // 50_000)] for part in parts])
    low, high = float(values.min()), float(values.max())
    span = high - low
    even = np.linspace(0, 1, KNOTS)
    knots = np.unique((np.quantile(values, even) + np.linspace(low, high, KNOTS)) / 2)
    heights = stabilise(knots, survey.model)
    ends = float(heights[0]), max(float(np.ptp(heights)), deviation_told(survey) / STRONGEST)
    there = Curve((knots - low) / span, (heights - ends[0]) / ends[1])
    evenly = np.linspace(heights[0], heights[-1], KNOTS)
    back = Curve((evenly - ends[0]) / ends[1], (restore(evenly, survey.model) - low) / span)
    return TransformPair(there, back, deviation_told(survey) / ends[1], low=low, span=span)


def through(curves: TransformPair, x: Tensor, network: ImageNetwork) -> Tensor:
    """Transform shares of the span, ``(N, 1, H, W)`` of even sides, take the noise off, transform back."""
    level = x.new_full((len(x), 1, 1, 1), curves.sigma)
    return curves.back(network(curves.there(x), network.condition(x, level)).image)


def crops_of(parts: Sequence[np.ndarray], seed: int, step: int) -> np.ndarray:
    """Draw the crops of a step, ``(N, 1, side, side)``."""
    random = numpy_generator(seed, "crops", epoch=step)
    side = side_of(parts, SIDE)
    return np.stack([drawn_crop(parts[int(random.integers(len(parts)))], side, random) for _ in range(CROPS)])[:, None]


def hide(crops: Tensor, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Give one pixel of each ``GRID`` by ``GRID`` the mean of its four neighbours; and say which they are."""
    row, column = torch.randint(GRID, (2,), generator=generator(seed, "hidden", epoch=step)).tolist()
    mask = torch.zeros(crops.shape, dtype=torch.bool)
    mask[..., row::GRID, column::GRID] = True
    around = crops.new_tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]])[None, None] / 4
    mean = functional.conv2d(functional.pad(crops, (1, 1, 1, 1), mode="reflect"), around)
    return torch.where(mask, mean, crops), mask
