"""Classical methods on one's own noisy images: plain and behind the transform, tuned without a clean image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cuello.noise_models.model import NoiseModel
from cuello.noise_models.stabilise import restore, stabilise
from cuello.scoring.baselines import BASELINES
from cuello.scoring.blind import BlindScore, Method, gain

Judge = Callable[[Mapping[str, Method]], Sequence[BlindScore]]
"""Scores methods by name: ``blind.judge`` of some images, or ``blind.judge_by_captures`` of captures of one scene."""

STRENGTHS: dict[str, tuple[float, ...]] = {
    "gaussian": (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0),
    "median-3": (3,),
    "median-5": (5,),
    "nlm": (0.6, 0.9, 1.2, 2.0, 4.0, 8.0),
    "tv": (0.03, 0.06, 0.1, 0.2, 0.4, 0.8, 1.6),
    "wavelet": (0.5, 1.0, 1.5, 2.5, 5.0),
}
"""What is tried of each method; the noise's standard deviation is ``LEVEL`` of the values it sees."""
LEVEL = 0.1


@dataclass(frozen=True)
class Tuned:
    """A classical method at the strength that scored best. behind: whether it works behind the transform."""

    name: str
    strength: float
    behind: bool
    method: Method
    score: BlindScore

    @property
    def label(self) -> str:
        """What a table calls it."""
        return label(self.name, self.behind)


def label(name: str, behind: bool) -> str:
    """Name a method in words.

    >>> label("gaussian", True)
    'Gaussian blur behind the transform'
    """
    return BASELINES[name].label + (" behind the transform" if behind else "")


def classical(name: str, strength: float, noise: NoiseModel, *, behind: bool) -> Method:
    """Give a classical method for images ``(H, W)`` in the noise model's unit."""
    return partial(applied, name=name, strength=strength, noise=noise, behind=behind)


def applied(image: np.ndarray, *, name: str, strength: float, noise: NoiseModel, behind: bool) -> np.ndarray:
    """Apply a classical method to an image ``(H, W)``, plain or behind the transform."""
    if behind:
        return restore(scaled(stabilise(image, noise), name, strength=strength, sigma=1.0), noise)
    sigma = float(np.sqrt(np.mean(noise.variance(image))))
    return scaled(np.asarray(image, np.float64), name, strength=strength, sigma=sigma)


def scaled(image: np.ndarray, name: str, *, strength: float, sigma: float) -> np.ndarray:
    """Apply a method to values that are scaled so that the noise has a standard deviation of LEVEL."""
    low, unit = float(image.min()), sigma / LEVEL
    pixels = ((image - low) / unit).astype(np.float32)[:, :, None]
    return np.asarray(BASELINES[name].function(pixels, strength))[:, :, 0].astype(np.float64) * unit + low


def tuned(judge: Judge, noise: NoiseModel, names: Sequence[str] = tuple(STRENGTHS)) -> tuple[Tuned, ...]:
    """Tune each method, plain and behind the transform, and give all, the best first.

    judge: how scores come about without a clean image; one call a strength, until more and less are worse. names: of
    ``STRENGTHS``. Choosing the best of several by a score makes that score a little too good, as for every method.
    """
    found = [best(judge, noise, name=name, behind=behind) for name in names for behind in (False, True)]
    return tuple(sorted(found, key=lambda one: one.score.mse))


def best(judge: Judge, noise: NoiseModel, *, name: str, behind: bool) -> Tuned:
    """Find the best strength of a method, going downhill from the middle one."""
    strengths = STRENGTHS[name]
    scores: dict[int, Tuned] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(strengths):
            return np.inf
        if place not in scores:
            method = classical(name, strengths[place], noise, behind=behind)
            (score,) = judge({label(name, behind): method})
            scores[place] = Tuned(name, strength=strengths[place], behind=behind, method=method, score=score)
        return scores[place].score.mse

    place = len(strengths) // 2
    while (better := min((place, place - 1, place + 1), key=at)) != place:
        place = better
    return scores[place]


def verdict(score: BlindScore, others: Sequence[BlindScore]) -> str:
    """Say whether a result is better than the best of others, such as classical methods, judged on the same images.

    >>> from cuello.scoring.blind import blind_score
    >>> ours, blur = (blind_score(name, [np.full((64, 64), value)], peak=100, bias="")
    ...               for name, value in (("network", 1.0), ("Gaussian blur", 1.0)))
    >>> verdict(ours, [blur])
    'Gaussian blur is as good: network differs from it by +0.00 dB (95% interval 0.00 to 0.00).'
    """
    if not others:
        return "There is nothing to compare with."
    rival = min(others, key=lambda other: other.mse)
    better, low, high = gain(score, rival)
    interval = f"(95% interval {low:.2f} to {high:.2f})"
    if low > 0:
        return f"{score.name} is {better:.2f} dB better than {rival.name} {interval}."
    if high < 0:
        return f"{rival.name} is {-better:.2f} dB better than {score.name} {interval}."
    return f"{rival.name} is as good: {score.name} differs from it by {better:+.2f} dB {interval}."
