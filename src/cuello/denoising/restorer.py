"""What takes noise off the channels of images, each by the noise that it has, and notes what it did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cuello.core.errors import CuelloError
from cuello.degrade.level import noise_levels
from cuello.denoising.kinds import Effort, PlaneKind, crop_of, fitting, plain_kind, turned
from cuello.denoising.planes import filled
from cuello.denoising.steps import in_steps
from cuello.inference.model import Model
from cuello.noise_models.defects import repaired
from cuello.noise_models.estimate import BLOCK
from cuello.noise_models.model import NoiseModel, apart
from cuello.noise_models.survey import NoiseSurvey, check_size, nothing, survey
from cuello.scoring.blind import BlindScore, judge, left_of, signed_variance
from cuello.scoring.residual import ResidualChecks, check_residual

SCORED = 4
"""Channels of a file that are scored, the first ones; the others are as like them as its pages are."""
STEP = 1.0
"""Noise below this standard deviation is finer than whole numbers: rounding to the nearest would change brightness."""
UNSURE = 3.0
"""A small image, which hardly tells, has noise of a kind with up to so many times its variance, or as small a part."""
SCORED_SIDE, SHOWN = 192, 256
"""Side of what is scored, and of what is kept for pictures, from the middle of a channel."""


@dataclass(frozen=True)
class PlaneScore:
    """How sure a result is, as far as one channel tells without a clean image.

    left: error of the result, where the noise's standard deviation is 1; left_error: twice its standard error, within
    which the truth lies in about 95% of images. gain: how much smaller the error is than the noise, in dB. These are
    infinite or NaN where the channel is too small to tell.
    checks: whether what was taken away is noise.
    """

    left: float
    left_error: float
    gain: float
    checks: ResidualChecks

    @property
    def known(self) -> bool:
        """Whether the channel is large enough to tell how sure the result is."""
        return math.isfinite(self.left_error)


@dataclass(frozen=True)
class PlaneResult:
    """What was done to one channel of one image.

    kind: of its noise, and how that was taken off. own: it was measured in this channel alone. repaired: hot and dead
    pixels that got the value of their neighbours. stepped: the noise is finer than a step of whole numbers, in which
    the result is kept, and values were rounded up and down by turns. score: how sure the result is; None where that was
    not asked for. before, after: the middle of the channel.
    """

    kind: PlaneKind
    own: bool
    repaired: int = 0
    stepped: bool = False
    score: PlaneScore | None = None
    before: np.ndarray | None = None
    after: np.ndarray | None = None

    @property
    def way(self) -> str:
        """How the noise was taken off, in a word."""
        return self.kind.effort if self.kind.survey.kind == "ordinary" else "nothing"


@dataclass(frozen=True)
class ChannelDenoiser:
    """Restores images of any number of channels, one by one; a ``Restorer`` for files and arrays.

    network: takes white noise of a known level off. kinds: of noise in the set, of which each channel has the one that
    fits it, or its own. effort: how much is done. repairs: whether hot and dead pixels are repaired. scores: how many
    channels are scored. channels: what a last axis of 2 or 4 must be to be no transparency. done: channel by channel.
    """

    network: Model
    kinds: Sequence[PlaneKind] = ()
    effort: Effort = "quick"
    repairs: bool = True
    scores: int = 0
    channels: int = 1
    done: list[PlaneResult] = field(default_factory=list)

    @property
    def scale(self) -> int:
        """Images keep their size."""
        return 1

    @property
    def gaps(self) -> bool:
        """Pixels that are no numbers are not looked at."""
        return True

    @property
    def told_noise(self) -> bool:
        """It estimates the noise by itself."""
        return True

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        return pixels

    def restore_shares(self, shares: np.ndarray, level: float | None = None) -> np.ndarray:
        return self.restore(shares, level=level)

    def restore(self, image: np.ndarray, *, level: float | None = None) -> np.ndarray:
        """Take the noise off ``(H, W, C)`` of any numeric type, which is kept; what is no number stays none."""
        del level
        result = np.stack([self.plane(image[:, :, channel]) for channel in range(image.shape[2])], axis=2)
        if image.dtype.kind in "ui":
            limits = np.iinfo(image.dtype)
            result = result.round().clip(limits.min, limits.max)
        return result.astype(image.dtype)

    def plane(self, values: np.ndarray) -> np.ndarray:
        """Take the noise off one channel ``(H, W)``; CuelloError for masks and labels."""
        kind, own = self.noise_of(values)
        found = kind.survey
        if found.kind in ("binary", "label"):
            raise CuelloError(REFUSED[found.kind])
        if found.kind != "ordinary":
            self.done.append(PlaneResult(kind, own))
            return values.astype(np.float64)
        whole, known = filled(values.astype(np.float64))
        bad = np.concatenate([found.hot, found.dead]) if self.repairs else np.empty((0, 2), int)
        good = repaired(whole, bad) if len(bad) else whole
        smooth = kind.take_off(good, self.network)
        score = self.score(kind, good, smooth, known=known) if len(self.done) < self.scores else None
        shown = (crop_of(whole, SHOWN), crop_of(smooth, SHOWN)) if score is not None else (None, None)
        fine = found.model.deviation(smooth) < STEP if values.dtype.kind in "ui" else np.zeros(1, bool)
        self.done.append(
            PlaneResult(
                kind, own, len(bad), stepped=bool(fine.any()), score=score, before=shown[0], after=shown[1]
            )
        )  # fmt: skip
        return np.where(known, np.where(fine, in_steps(smooth), smooth), values)

    def noise_of(self, values: np.ndarray) -> tuple[PlaneKind, bool]:
        """Give the noise of one channel: the set's kind that fits it, else its own; and whether it is its own."""
        known = values[np.isfinite(values)]
        if not len(known) or not np.ptp(known):  # one value throughout, or none
            ends = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
            none = replace(nothing("noise-free", ends), notes=() if known.size else (NO_NUMBER,))
            return plain_kind(none, self.effort), True
        check_size(known)
        try:
            own = survey([values])
        except CuelloError:
            alone = of_a_small_image(values)
            shared = like_a_small_image(alone, [kind for kind in self.kinds if kind.shared], values)
            return (shared, False) if shared else (plain_kind(alone, self.effort), True)
        place = fitting(own, [kind.survey for kind in self.kinds]) if own.kind == "ordinary" else None
        if place is None:
            return self.own_kind(own, values), True
        return self.kinds[place], not self.kinds[place].shared

    def own_kind(self, own: NoiseSurvey, values: np.ndarray) -> PlaneKind:
        """Give the way for a channel whose noise no other has."""
        kind = plain_kind(own, self.effort, [values])
        if self.effort != "quick" and own.kind == "ordinary":
            kind = turned(kind, self.network)
        return replace(kind, planes=())

    def score(self, kind: PlaneKind, noisy: np.ndarray, result: np.ndarray, *, known: np.ndarray) -> PlaneScore:
        """Say how good a result is; what is done is done again on a part of it, once by turns where that is long.

        known: where there were numbers; the others, which were filled, hold no noise and do not count.
        A network that learned from captures of the image is no measure of itself: they said how good results are.
        """
        model, correlation = kind.survey.model, None if kind.survey.white else kind.survey.correlation
        checks = check_residual(np.where(known, noisy, np.nan), result, model, correlation=correlation)
        if (told := kind.captures) is not None:
            return PlaneScore(told.left, told.left_error, gain=told.gain, checks=checks)
        part, there = crop_of(noisy, SCORED_SIDE), crop_of(known, SCORED_SIDE) > 0
        if not there.any():
            return PlaneScore(math.nan, math.inf, gain=math.nan, checks=checks)
        way = replace(kind, turns=False)
        methods = {"result": lambda values: np.where(there, way.take_off(values, self.network), np.nan)}
        score: BlindScore = judge([part], methods, model, peak=1.0, correlation=correlation, by="result")[0]
        noise = max(float(signed_variance(part[there], model).mean()), np.finfo(float).tiny)
        left, error, gain = left_of(score, noise)
        return PlaneScore(left, error, gain=gain, checks=checks)


REFUSED = {
    "binary": "got an image of two values: a mask holds no noise that could be told from what it shows. Give the image "
    "that it was made of.",
    "label": "got an image of patches of one whole number each, as labels are: between two labels there is nothing. "
    "Give the image that they were made of.",
}


def of_a_small_image(values: np.ndarray) -> NoiseSurvey:
    """Give noise of one standard deviation, of an image too small to tell how it depends on brightness.

    One that is large enough, and whose values are cut off nearly everywhere, as on a page of text, tells no noise.
    """
    known = values[np.isfinite(values)]
    ends = (float(known.min()), float(known.max()))
    cut = float(np.isin(known, ends).mean())
    if min(values.shape) >= LARGE and cut > MOSTLY:
        return replace(nothing("noise-free", ends), notes=(CUT_OFF.format(cut),))
    whole, _ = filled(values.astype(np.float64))
    sigma = noise_levels((whole - ends[0])[:, :, None])[0] if min(whole.shape) > 1 else of_a_line(whole.ravel())
    none = nothing("noise-free", ends)
    return replace(none, kind="ordinary", model=NoiseModel(0.0, sigma**2), notes=SMALL) if sigma else none


def like_a_small_image(alone: NoiseSurvey, kinds: Sequence[PlaneKind], values: np.ndarray) -> PlaneKind | None:
    """Choose the kind whose noise is about as strong as a small image's own; None where none is."""
    middle = np.array([np.median(values[np.isfinite(values)])])
    near = [(apart(alone.model, kind.survey.model, middle), place) for place, kind in enumerate(kinds)]
    least, place = min(near, default=(np.inf, 0))
    return kinds[place] if least <= np.log(UNSURE) else None


def of_a_line(values: np.ndarray) -> float:
    """Estimate the standard deviation of the noise of values in one row, by how far each is from those beside it."""
    bends = values[1:-1] - (values[:-2] + values[2:]) / 2
    return float(np.median(np.abs(bends)) / 0.6745 / np.sqrt(1.5)) if len(bends) else 0.0


LARGE, MOSTLY = 2 * BLOCK, 0.5
"""Side of an image that is not too small, and the share of its pixels at the ends of its values that are too many."""
CUT_OFF = "{:.0%} of its pixels have the darkest or brightest value there is, and the others are too few to tell noise"
NO_NUMBER = "it has no value that is a number"
SMALL = ("too small to tell how the noise depends on brightness: taken for the same everywhere",)
