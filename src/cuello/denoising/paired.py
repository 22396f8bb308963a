"""The network that comes with Cuello, trained on with captures of one scene: each is learned from another.

What two captures have in common is the scene; the noise of one tells nothing of the other's, whatever its strength. So
the error against another capture is least where the error against the clean image is. The network learns in the values
that the transform makes even, in which the noise counts alike everywhere. Some squares of the scene are kept apart: no
error there is learned from, and so the captures judge each other honestly there.

Source: Lehtinen et al. 2018, "Noise2Noise: learning image restoration without clean data".
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from cuello.core.progress import OnProgress, Progress, silent
from cuello.core.seeding import numpy_generator
from cuello.denoising.planes import drawn_crop, side_of
from cuello.denoising.quick import Transform, span_of
from cuello.inference.model import Model
from cuello.noise_models.frames import temporal_noise
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.whiteness import phases
from cuello.scoring.blind import COPY, BlindScore, are_captures, blind_score, copy_errors

Scene = Sequence[np.ndarray]
"""Two or more captures ``(H, W)`` of what stands still."""

STEPS, CROPS, SIDE = 600, 8, 64
"""Steps of training, crops in each, and their side in pixels."""
RATE, WARM = 1e-3, 50
"""The highest learning rate, and the steps after which it is reached."""
AVERAGED = 0.99
"""What stays of the averaged weights in a step; the average is the result."""
SQUARE, SQUARES, APART = 32, 8, 5
"""Side of the squares that are kept apart, of which at least so many lie along a side; one of so many is."""
JUDGED = 4
"""Captures of a scene that judge each other, and scenes, the first ones."""


def scenes_of(planes: Sequence[np.ndarray], model: NoiseModel) -> list[list[np.ndarray]]:
    """Put captures of the same scene together; an empty list where a channel ``(H, W)`` is the only one of its scene.

    What is learned from some scenes need not be good for another.
    """
    scenes: list[list[np.ndarray]] = []
    for plane in planes:
        own = next((scene for scene in scenes if stands_still(scene[0], plane, model)), None)
        if own is None:
            scenes.append([plane])
        else:
            own.append(plane)
    return scenes if all(len(scene) > 1 for scene in scenes) else []


def stands_still(one: np.ndarray, other: np.ndarray, model: NoiseModel) -> bool:
    """Tell whether two captures show one scene, and no more changes at its edges than elsewhere."""
    return are_captures([one, other], model) and not isinstance(temporal_noise([one, other], model), str)


def paired(
    scenes: Sequence[Scene],
    transform: Transform,
    spacing: int,
    *,
    network: Model,
    seconds: float,
    seed: int = 0,
    progress: OnProgress = silent,
) -> Model:
    """Train the network on with captures of one kind of noise; the same captures and seed, the same weights.

    spacing: images of every so many-th pixel are learned from, as they are restored. seconds: after which it ends
    before its last step, on slow machines.
    """
    evened = [
        part
        for scene in scenes
        for part in phases(np.stack([*map(transform.there, scene), ~kept_apart(scene[0].shape)], axis=2), spacing)
    ]
    own = copy.deepcopy(network.network).train().requires_grad_(True)
    averaged = copy.deepcopy(own).requires_grad_(False)
    optimizer = torch.optim.Adam(own.parameters(), lr=RATE)
    begun = time.monotonic()
    for step in range(STEPS):
        if time.monotonic() - begun > seconds:
            break
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM) * (1 + np.cos(np.pi * step / STEPS)) / 2
        random = numpy_generator(seed, "pairs", epoch=step)
        seen, target, counts, level = crops_of(evened, transform.deviation, random=random)
        errors = (own(seen, level).image - target) / level * counts
        loss = errors.square().sum() / counts.sum().clamp(min=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        share = min(AVERAGED, (step + 1) / (step + 10))
        for mean, weight in zip(averaged.parameters(), own.parameters(), strict=True):
            mean.lerp_(weight.detach(), 1 - share)
        progress(Progress("training on captures", step + 1, STEPS))
    return replace(network, network=averaged.eval(), path=None)


def crops_of(
    evened: Sequence[np.ndarray], deviation: float, *, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw the crops of a step: what is seen of a capture, the same of another, what counts, and the noise's level.

    evened: scenes ``(H, W, captures + 1)``, the last 1 where the scene is learned from. Returns three of
    ``(N, 1, side, side)``, the first two as shares of the span of the capture that is seen, and ``(N, 1, 1, 1)``.
    """
    side = side_of([scene[:, :, 0] for scene in evened], SIDE)
    seen, target, counts, levels = [], [], [], []
    for _ in range(CROPS):
        scene = evened[int(random.integers(len(evened)))]
        one, other = random.choice(scene.shape[2] - 1, 2, replace=False).tolist()
        low, span = span_of(scene[:, :, one], deviation)
        crop = drawn_crop(scene, side, random)
        seen.append((crop[:, :, one] - low) / span)
        target.append((crop[:, :, other] - low) / span)
        counts.append(crop[:, :, -1])
        levels.append(deviation / span)
    several = [torch.from_numpy(np.stack(parts)[:, None]).float() for parts in (seen, target, counts)]
    return several[0], several[1], several[2], torch.tensor(levels)[:, None, None, None].float()


def kept_apart(shape: Sequence[int]) -> np.ndarray:
    """Mark the pixels ``(H, W)`` of the squares that are not learned from: a fifth of all, spread evenly.

    >>> kept_apart((64, 64))[::8, ::8].mean(1).round(2).tolist()
    [0.25, 0.25, 0.12, 0.25, 0.12, 0.25, 0.25, 0.12]
    """
    side = max(1, min(SQUARE, min(shape) // SQUARES))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows // side + 2 * (columns // side)) % APART == 0


def judge_apart(
    scenes: Sequence[Scene],
    ways: Sequence[Callable[[np.ndarray], np.ndarray]],
    peak: float,
    *,
    progress: OnProgress = silent,
) -> list[BlindScore]:
    """Score ways, in their order, by the squares that were kept apart: each result against the other captures."""
    judged = [scene[:JUDGED] for scene in scenes[:JUDGED]]
    total = len(ways) * sum(map(len, judged))
    done, scores = 0, []
    for way in ways:
        errors = []
        for scene in judged:
            apart = kept_apart(scene[0].shape)
            for noisy in scene:
                result = way(noisy)
                done += 1
                progress(Progress("scoring", done, total))
                each = [copy_errors(result, noisy, copy=other) for other in scene if other is not noisy]
                errors.append(np.where(apart, np.mean(each, axis=0), np.nan))
        scores.append(blind_score("", errors, peak=peak, bias=COPY))
    return scores
