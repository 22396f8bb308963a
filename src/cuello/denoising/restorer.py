"""What takes noise off the channels of images, each by the noise that it has, and notes what it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cuello.core.errors import CuelloError
from cuello.degrade.level import noise_levels
from cuello.denoising.kinds import fitting
from cuello.denoising.planes import filled
from cuello.denoising.quick import brightness_kept, quick
from cuello.inference.model import Model
from cuello.noise.defects import repaired
from cuello.noise.model import NoiseModel
from cuello.noise.survey import NoiseSurvey, nothing, survey


@dataclass(frozen=True)
class PlaneResult:
    """What was done to one channel of one image.

    survey: of the noise that was taken off. own: it was measured in this channel alone. method: how it was taken off;
    "nothing" where there was none. repaired: hot and dead pixels that got the value of their neighbours. removed:
    standard deviation of what was taken away, where the noise's is 1. before, after: a part of the image for pictures.
    """

    survey: NoiseSurvey
    own: bool
    method: str
    repaired: int = 0
    removed: float = 0.0
    before: np.ndarray | None = None
    after: np.ndarray | None = None


@dataclass(frozen=True)
class ChannelDenoiser:
    """Restores images of any number of channels, one by one; a ``Restorer`` for files and arrays.

    network: takes white noise of a known level off. kinds: of noise in the set, of which each channel has the one that
    fits it, or its own. repairs: whether hot and dead pixels are repaired. channels: what a last axis of 2 or 4 must
    be to be no transparency. done: what was done, channel by channel.
    """

    network: Model
    kinds: Sequence[NoiseSurvey] = ()
    repairs: bool = True
    channels: int = 1
    done: list[PlaneResult] = field(default_factory=list)

    @property
    def scale(self) -> int:
        """Images keep their size."""
        return 1

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
        found, own = self.noise_of(values)
        if found.kind in ("binary", "label"):
            raise CuelloError(REFUSED[found.kind])
        whole, known = filled(values.astype(np.float64))
        if found.kind == "noise-free":
            self.done.append(PlaneResult(found, own, "nothing", before=whole, after=whole))
            return np.where(known, whole, values)
        bad = np.concatenate([found.hot, found.dead]) if self.repairs else np.empty((0, 2), int)
        good = repaired(whole, bad)
        counts = known.copy()
        counts[tuple(bad.T)] = False
        smooth, removed = quick(good, found, self.network)
        smooth = brightness_kept(good, smooth, known=counts, survey=found)
        self.done.append(
            PlaneResult(found, own, "quick", repaired=len(bad), removed=removed, before=whole, after=smooth)
        )
        return np.where(known, smooth, values)

    def noise_of(self, values: np.ndarray) -> tuple[NoiseSurvey, bool]:
        """Give the noise of one channel: the set's kind that fits it, else its own, and whether it is its own."""
        if not len(known := values[np.isfinite(values)]) or not np.ptp(known):  # one value throughout, or none
            return nothing("noise-free", (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)), True
        try:
            own = survey([values])
        except CuelloError:
            return (self.kinds[0], False) if self.kinds else (of_a_small_image(values), True)
        if own.kind != "ordinary":
            return own, True
        shared = fitting(own, self.kinds)
        return (own, True) if shared is None else (shared, False)


REFUSED = {
    "binary": "got an image of two values: a mask holds no noise that could be told from what it shows. Give the image "
    "that it was made of.",
    "label": "got an image of patches of one whole number each, as labels are: between two labels there is nothing. "
    "Give the image that they were made of.",
}


def of_a_small_image(values: np.ndarray) -> NoiseSurvey:
    """Give noise of one standard deviation, of an image too small to tell how it depends on brightness."""
    known = values[np.isfinite(values)]
    ends = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if ends[0] == ends[1]:
        return nothing("noise-free", ends)
    whole, _ = filled(values.astype(np.float64))
    sigma = noise_levels((whole - ends[0])[:, :, None])[0]
    none = nothing("noise-free", ends)
    return replace(none, kind="ordinary", model=NoiseModel(0.0, sigma**2), notes=SMALL) if sigma else none


SMALL = ("too small to tell how the noise depends on brightness: taken for the same everywhere",)
