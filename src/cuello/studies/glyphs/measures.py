"""What is measured: wrong pixels of all characters, with noise that no training has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cuello.core.seeding import generator
from cuello.data.catalog import open_source
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.scoring.metrics import wrong_pixels
from cuello.scoring.references import fit_references
from cuello.scoring.repeats import Spread, spread
from cuello.studies.glyphs.limits import Limit, bayes_limit

DRAWS = 200
"""Noises drawn for every character."""


def images_of(data: str) -> Tensor:
    """Read a data set's images, ``(N, 1, H, W)`` in [0, 1]."""
    source = open_source(data)
    pixels = np.stack([source.read(index).pixels / np.float32(255) for index in range(len(source.names))])
    return torch.from_numpy(pixels.transpose((0, 3, 1, 2)))


def characters(draws: int = 1) -> Tensor:
    """Give the 32 characters ``draws`` times, ``(draws · 32, 1, 7, 5)``, 0 and 1."""
    return torch.cat([images_of("glyphs")] * draws)


def inverted(flips: int, draws: int, *, seed: int = 0) -> Tensor:
    """Give every character ``draws`` times, ``(draws · 32, 1, 7, 5)``, with ``flips`` pixels inverted in each."""
    clean = characters(draws)
    return parse(f"invert:{flips}")(clean, generator(seed, "noise of the test", flips)) if flips else clean


def wrong(restored: Tensor) -> float:
    """Count how many pixels of all characters are wrong, mean over the draws."""
    draws = len(restored) // 32
    return float(wrong_pixels(restored, characters(draws)).sum()) / draws


@dataclass(frozen=True)
class WrongPixels:
    """Wrong pixels by pixels inverted: of every training by seed, of principal components, and the limit."""

    of: Mapping[str, Sequence[Mapping[int, float]]]
    linear: Mapping[int, float]
    limits: Mapping[int, Limit]

    def by_seed(self, plan: str, flips: int) -> dict[int, float]:
        return {seed: found[flips] for seed, found in enumerate(self.of[plan])}

    def spread(self, plan: str, flips: int) -> Spread:
        return spread(list(self.by_seed(plan, flips).values()))


def measure(models: Mapping[str, Sequence[Model]], flips: Sequence[int]) -> WrongPixels:
    """Count wrong pixels of models (by training, in the order of seeds), without noise and with each of ``flips``."""
    noisy = {count: inverted(count, DRAWS if count else 1) for count in (0, *flips)}
    pca = next(found for found in fit_references([characters()], 2) if found.name == "pca")
    prototypes = characters().flatten(1).numpy()
    return WrongPixels(
        {
            plan: [{count: wrong(model.restore_batch(x)) for count, x in noisy.items()} for model in own]
            for plan, own in models.items()
        },
        {count: wrong(pca.run(images)) for count, images in noisy.items()},
        {count: bayes_limit(prototypes, count) for count in flips},
    )
