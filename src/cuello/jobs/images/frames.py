"""Neighbouring frames of stacks and films as pairs of noisy images, where the scene between them moves little."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from scipy.ndimage import gaussian_filter

from cuello.core.errors import CuelloError
from cuello.core.spread import spread_evenly
from cuello.data.images import Images, picked, subset
from cuello.noise_models.survey import survey

BLOCK = 16
"""Side of the squares, in pixels, each of which may have moved its own way."""
SMOOTH = 1.5
"""Standard deviation, in pixels, of the blur before slopes are taken."""
MOVED, CHANGED = 0.1, 1.6
"""The largest share of what changes between two frames that may be movement, and how many times as much as by noise may
change, for frames to be learned from each other."""
LOOKED_AT = 8
"""Pairs that are looked at, at most, spread over all."""


def frame_pairs(images: Images) -> Images:
    """Make pairs of the first and second, third and fourth … frame of every stack, or of a folder in its order.

    Raises CuelloError where there are no two frames of one size, all are equal, or the scene moves.
    """
    firsts = [place for frames in stacks_of(images) for place in pairs_in(images, frames)]
    if not firsts:
        if len(images) == 1 and images.channels > 1:
            raise CuelloError(
                f"got --method=frames, and {images.name} holds one image of {images.channels} channels. If they are "
                "frames, the file says that they are colours: write it anew with a grey page for each (tifffile: "
                "photometric='minisblack'), or leave --method out."
            )
        raise CuelloError(
            f"got --method=frames, and {images.name} has no two frames of one size after one another. Give a stack or "
            "a film, or leave --method out."
        )
    ones, others = subset(images, firsts), picked(images.arrays, [place + 1 for place in firsts])
    looked = spread_evenly(len(firsts), LOOKED_AT).tolist()
    if all(np.array_equal(ones.arrays[place], others[place]) for place in looked):
        raise CuelloError(f"the frames of {images.name} are all equal, so that there is no noise to learn from.")
    for place in looked:
        first, second = str(images.names[firsts[place]]), str(images.names[firsts[place] + 1])
        check_still(ones.arrays[place], others[place], (first, second))
    return replace(ones, targets=others, fingerprint=None, held_out=None, validated=None)


def stacks_of(images: Images) -> list[list[int]]:
    """Group positions of images by the file that they are pages of; images of their own are frames of one film."""

    def file(place: int) -> str:
        name, page, _ = images.names[place].rpartition("#")
        return name if page else ""

    return [list(group) for _, group in groupby(range(len(images)), key=file)]


def pairs_in(images: Images, frames: Sequence[int]) -> list[int]:
    """Return the first frame of every pair: no frame is in two, so that none is learned from and validated on."""
    sizes = images.sizes
    return [place for place in frames[:-1:2] if (sizes[place] == sizes[place + 1]).all()]


def check_still(one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> None:
    """Raise CuelloError where the scene of two frames ``(H, W, C)`` moves, or changes more than by noise."""
    remedy = "Leave --method out: each frame is then learned from by itself."
    frames = f"the frames {names[0]} and {names[1]}"
    share = moved_share(one.mean(2, dtype=np.float64), other.mean(2, dtype=np.float64))
    if share > MOVED:
        raise CuelloError(
            f"the scene moves: between {frames} movement makes {share:.0%} of what changes, needed {MOVED:.0%} at "
            f"most. {remedy}"
        )
    change = change_to_noise(one[..., 0], other[..., 0])
    if change > CHANGED:
        raise CuelloError(
            f"the scene changes: between {frames} {change:.1f} times as much changes as noise would, needed "
            f"{CHANGED:g} times at most. {remedy}"
        )


def check_pairs(images: Images) -> None:
    """Raise CuelloError where the scene of most pairs of noisy images moves from the one to the other.

    One pair of many that moves does little harm.
    """
    assert images.targets is not None
    looked = spread_evenly(len(images), LOOKED_AT).tolist()
    pairs = [(images.arrays[place], images.targets[place]) for place in looked]
    moved = float(np.median([moved_share(*(each.mean(2, dtype=np.float64) for each in pair)) for pair in pairs]))
    if moved > MOVED:
        raise CuelloError(
            f"the pairs of {images.name} do not show the same scene in the same place: movement makes {moved:.0%} of "
            f"what changes between two images (the median of {len(pairs)} pairs), needed {MOVED:.0%} at most. Correct "
            "the files or bring the images into register; or leave --target and --noisy-target out: each image is "
            "then learned from by itself."
        )


def moved_share(one: np.ndarray, other: np.ndarray) -> float:
    """Tell which share of the difference between two frames ``(H, W)`` movement explains, beyond chance.

    In every square the difference is fitted by the slopes of the mean of both, down and right: what a small shift of
    its own makes of it (Lucas and Kanade 1981). Of noise two numbers explain two pixels' worth.

    >>> wave = np.sin(np.arange(65) / 5) + np.zeros((64, 1))
    >>> moved_share(wave[:, 1:], wave[:, :-1]) > 0.8, moved_share(wave, 1 + wave) < 0.1
    (True, True)
    """
    difference = other - one
    difference = difference - difference.mean()
    down, right = np.gradient(gaussian_filter((one + other) / 2, SMOOTH))
    rows, columns = (max(1, side // BLOCK) for side in one.shape)
    explained = chance = whole = 0.0
    for strip in zip(*(np.array_split(part, rows) for part in (difference, down, right)), strict=True):
        for d, y, x in zip(*(np.array_split(part, columns, axis=1) for part in strip), strict=True):
            slopes = np.stack([y.ravel(), x.ravel()], 1)
            fitted = slopes @ np.linalg.lstsq(slopes, d.ravel(), rcond=None)[0]
            energy, found = float((d**2).sum()), float((fitted**2).sum())
            explained, whole = explained + found, whole + energy
            chance += 2 * (energy - found) / max(d.size - 2, 1)
    return max(0.0, (explained - chance) / whole) if whole else 0.0


def change_to_noise(one: np.ndarray, other: np.ndarray) -> float:
    """Tell how many times as much changes between two frames ``(H, W)`` as their noise would; 1 where it is unknown."""
    try:
        model = survey([one, other]).model
    except CuelloError:
        return 1.0
    first, second = one.astype(np.float64), other.astype(np.float64)
    expected = float(model.variance((first + second) / 2).mean())
    change = float(np.var(second - first)) / 2
    return change / expected if expected else 1.0
