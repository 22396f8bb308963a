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
    """Return a data set's images, ``(N, 1, H, W)`` in [0, 1]."""
    source = open_source(data)
    pixels = [source.read(index).pixels / np.float32(255) for index in range(len(source.names))]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def characters() -> Tensor:
    """Return the 32 characters, ``(32, 1, 7, 5)``, 0 and 1."""
    return images_of("glyphs")


def inverted(flips: int, draws: int = DRAWS, seed: int = 0) -> Tensor:
    """Return every character ``draws`` times, ``(draws · 32, 1, 7, 5)``, with ``flips`` pixels inverted in each."""
    clean = characters().repeat(draws, 1, 1, 1)
    if flips == 0:
        return clean
    degradation = parse(f"invert:{flips}")
    return degradation(clean, generator(seed, "noise of the test", flips))


def wrong(restored: Tensor) -> float:
    """Return how many pixels of all characters are wrong, mean over the draws."""
    draws = len(restored) // 32
    return float(wrong_pixels(restored, characters().repeat(draws, 1, 1, 1)).sum()) / draws


@dataclass(frozen=True)
class Tested:
    """Wrong pixels by pixels inverted: of every training by seed, of principal components, and the limit."""

    of: Mapping[str, Mapping[int, Mapping[int, float]]]
    linear: Mapping[int, float]
    limits: Mapping[int, Limit]

    def spread(self, plan: str, flips: int) -> Spread:
        """Return mean and deviation over a training's seeds."""
        return spread([found[flips] for found in self.of[plan].values()])

    def by_seed(self, plan: str, flips: int) -> dict[int, float]:
        """Return a training's wrong pixels by seed."""
        return {seed: found[flips] for seed, found in self.of[plan].items()}


def measure(models: Mapping[str, Sequence[Model]], flips: Sequence[int]) -> Tested:
    """Count wrong pixels of models (by training, in the order of seeds), without noise and with each of ``flips``."""
    noisy = {count: inverted(count, DRAWS if count else 1) for count in (0, *flips)}
    of = {
        plan: {
            seed: {count: wrong(model.restore_batch(images)) for count, images in noisy.items()}
            for seed, model in enumerate(own)
        }
        for plan, own in models.items()
    }
    pca = next(found for found in fit_references([characters()], 2) if found.name == "pca")
    prototypes = characters().flatten(1).numpy()
    return Tested(
        of,
        {count: wrong(pca.run(images)) for count, images in noisy.items()},
        {count: bayes_limit(prototypes, count) for count in flips},
    )
