"""The network that comes with Cuello, trained on with the user's own images, as noisy as they are.

Pixels are hidden, and guessed from what surrounds them: the noise that they had cannot be guessed. So the network goes
on from what it knows of photographs. (The error that can be estimated where the noise's level is known is no loss for
this: where few photons are counted the noise is not as strong as the level says.)

Source: Krull, Buchholz and Jug 2019, "Noise2Void - learning denoising from single noisy images", for the loss; Mohan et
al. 2021, "Adaptive denoising via GainTuning", for going on from a trained network.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from cuello.core.progress import OnProgress, Progress, silent
from cuello.core.seeding import generator, numpy_generator
from cuello.denoising.planes import drawn_crop, side_of
from cuello.denoising.quick import Transform, span_of
from cuello.inference.model import Model
from cuello.noise_models.whiteness import phases
from cuello.training.blind.base import KnownNoise
from cuello.training.blind.catalog import METHODS

STEPS, CROPS, SIDE = 60, 4, 96
"""Steps of training, crops in each, and their side in pixels."""
RATE = 1e-4
METHOD = "blind-spot"


def adapted(
    planes: Sequence[np.ndarray],
    transform: Transform,
    spacing: int,
    *,
    network: Model,
    seconds: float,
    seed: int = 0,
    progress: OnProgress = silent,
) -> Model:
    """Train the network on with channels ``(H, W)`` of one kind of noise; the same images and seed, the same weights.

    seconds: after which it ends before its last step, on slow machines.
    """
    parts = [part for plane in planes for part in phases(transform.there(plane), spacing)]
    own = copy.deepcopy(network.network).train().requires_grad_(True)
    optimizer = torch.optim.Adam(own.parameters(), lr=RATE)
    begun = time.monotonic()
    for step in range(STEPS):
        if time.monotonic() - begun > seconds:
            break
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 20) * (1 - step / STEPS)
        images, level = crops_of(parts, transform.deviation, seed=seed, step=step)
        condition = images.new_full((len(images), 1, 1, 1), level)

        def run(x: torch.Tensor, condition: torch.Tensor = condition) -> torch.Tensor:
            return own(x, condition).image

        pair = METHODS[METHOD].pair((images,), KnownNoise(level), generator(seed, METHOD, epoch=step))
        if pair.loss is None:
            raise TypeError(f"the method {METHOD} compares with a target")
        loss = pair.loss(run).mean() / level**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(Progress("training", step + 1, STEPS))
    return replace(network, network=own.eval().requires_grad_(False), path=None)


def crops_of(parts: Sequence[np.ndarray], deviation: float, *, seed: int, step: int) -> tuple[torch.Tensor, float]:
    """Draw the crops of a step from one image, as shares of its span, and say how strong their noise is."""
    random = numpy_generator(seed, "crops", epoch=step)
    part = parts[int(random.integers(len(parts)))]
    low, span = span_of(part, deviation)
    side = side_of([part], SIDE)
    crops = [drawn_crop(part, side, random) for _ in range(CROPS)]
    return torch.from_numpy((np.stack(crops)[:, None] - low) / span).float(), deviation / span
