"""How near estimated occlusion maps come to the exact ones of the same images: a check of some, drawn at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, silent
from cuello.core.seeding import numpy_generator
from cuello.data.images import Images
from cuello.jobs.explain.classifier import ExplainedClassifier
from cuello.jobs.explain.estimator import MapEstimator
from cuello.jobs.explain.exact import ALONE, exact_maps
from cuello.jobs.explain.settings import FLAT
from cuello.jobs.explain.sharing import Sharing
from cuello.saliency.fidelity import Measured, fidelity, measured

TRUSTED = 0.8
"""A mean Pearson correlation with the exact maps below this is warned of.

A choice, not a law: at .8 the estimates share about two thirds (.8²) of the exact maps' variance.
"""

Measure = Literal["mse", "pearson", "spearman"]

MEASURES: dict[Measure, str] = {
    "mse": "MSE after normalisation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
}


@dataclass(frozen=True)
class Check:
    """Estimated maps beside exact ones of the same images.

    names: of the images, in the order of all lists; places: among all maps. mse: after the source's normalisation, in
    which both are. exact, estimated: ``(H, W)`` each. seconds_exact: a map. seed: of the choice. of: so many images.
    """

    names: list[str]
    places: list[int]
    mse: Measured
    pearson: Measured
    spearman: Measured
    exact: list[np.ndarray]
    estimated: list[np.ndarray]
    seconds_exact: float
    seed: int
    of: int

    @property
    def trusted(self) -> bool:
        """Whether the mean Pearson correlation reaches TRUSTED; no correlation at all does not."""
        return self.pearson.mean >= TRUSTED

    @property
    def constant(self) -> int:
        """How many images have no correlation, because one of their maps is flat."""
        return len(self.names) - self.pearson.count

    def order(self, measure: Measure = "pearson") -> list[int]:
        """Sort places from the worst to the best image; those without a number come last."""
        sign = 1 if measure == "mse" else -1
        values = sign * getattr(self, measure).values
        return np.lexsort((np.arange(len(values)), -np.where(np.isnan(values), -np.inf, values))).tolist()


def drawn_by_chance(count: int, share: float, seed: int) -> list[int]:
    """Draw places of a random share of ``count`` images, at least one, in order; CuelloError for no share.

    >>> len(drawn_by_chance(1000, 0.01, 0)), drawn_by_chance(1, 0.01, 0)
    (10, [0])
    """
    check_share(share)
    wanted = max(1, round(share * count))
    return sorted(numpy_generator(seed, "checked images").choice(count, wanted, replace=False).tolist())


def check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise CuelloError(
            f"--check: got {share:g}, needed a share of the images, more than 0 and at most 1, e.g. 0.01."
        )


# More than seven parameters: those by name are the settings of one check.
def checked(
    estimator: MapEstimator,
    classifier: ExplainedClassifier,
    images: Images,
    *,
    maps: Sequence[np.ndarray],
    share: float,
    seed: int = 0,
    sharing: Sharing = ALONE,
    progress: OnProgress = silent,
) -> Check:
    """Compare the estimated maps of a random share of images with the exact ones: those that are kept, or made now.

    maps: one per image. sharing: who makes exact ones. progress: called with events.
    """
    assert classifier.own is not None
    places = drawn_by_chance(len(images), share, seed)
    arrays = [images.arrays[place] for place in places]
    exact = exact_maps(
        classifier.path, classifier.own, arrays, settings=estimator.settings, sharing=sharing, progress=progress
    )
    ours = [maps[place] for place in places]
    each = [fidelity(true[None], one[None], flat=FLAT) for true, one in zip(exact.maps, ours, strict=True)]
    mse, pearson, spearman = (
        measured(np.concatenate([getattr(one, name).values for one in each])) for name in MEASURES
    )
    return Check(
        names=[images.names[place] for place in places], places=places, mse=mse, pearson=pearson, spearman=spearman,
        exact=exact.maps, estimated=ours, seconds_exact=float(exact.seconds.mean()), seed=seed, of=len(images),
    )  # fmt: skip


def sentences(check: Check, seconds: float) -> list[str]:
    """Say in words how near estimates come to the exact maps, a line each; seconds: an estimate takes."""
    return [
        f"checked exactly: {len(check.names):,} of {check.of:,} images (seed {check.seed})",
        *(f"{MEASURES[name]}: {said(check, name)}" for name in MEASURES),
        f"a map takes {milliseconds(check.seconds_exact)} if exact, {milliseconds(seconds)} if estimated",
    ]


def said(check: Check, name: Measure) -> str:
    """Say a measure's mean over images, its 95% interval if there is one, and the worst image."""
    found: Measured = getattr(check, name)
    if not found.count:
        return "none, as a map is flat in every image"
    worst = check.order(name)[0]
    interval = "" if math.isnan(found.low) else f" (95% interval {found.low:.3g} to {found.high:.3g})"
    lacking = len(check.names) - found.count
    without = f"; {lacking} without one, as a map is flat" if lacking else ""
    return f"{found.mean:.3g}{interval}, worst {found.values[worst]:.3g}, image {check.names[worst]}{without}"


def milliseconds(seconds: float) -> str:
    """Say a time.

    >>> milliseconds(0.00123), milliseconds(2.5)
    ('1.23 ms', '2,500 ms')
    """
    number = 1000 * seconds
    return f"{number:,.0f} ms" if number >= 100 else f"{number:.3g} ms"


def warning(check: Check) -> str | None:
    if check.trusted:
        return None
    reached = "no correlation could be measured" if not check.pearson.count else f"it is {check.pearson.mean:.3g}"
    return (
        f"warning: the estimates are far from the exact maps: a mean Pearson correlation of {TRUSTED:g} or more is "
        f"wanted, but {reached}. Do not rely on them for these images; make exact maps, or train the estimator on more "
        "of such images."
    )
