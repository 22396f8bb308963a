"""All that is measured of the noise in one channel of images of one camera and setting."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cuello.core.errors import CuelloError
from cuello.noise_models.defects import defects
from cuello.noise_models.estimate import NoiseCurve, blocks_of, estimate_noise, finite, step_of
from cuello.noise_models.frames import TemporalNoise, temporal_noise
from cuello.noise_models.levels import sharper_curve
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.periodic import repeating
from cuello.noise_models.structure import Kind, clipped, jpeg_blocks, kind_of, stripes
from cuello.noise_models.texture import hides_noise
from cuello.noise_models.whiteness import (
    REACH,
    autocorrelation,
    correlation_of,
    is_white,
    power,
    spaced_curves,
    spacing_of,
    spectra_of,
    stands_alone,
    white_spacing,
)

NO_NOISE = 0.45
"""Noise below this share of a step between values is no more than their rounding."""
MISFIT, IMPULSES = 0.25, 0.002
"""From where no line fits, as a share of it; and more than some defects stand out, as a share of pixels."""
LARGEST = 1e100
"""Of much larger values no square is a number."""
STRIPES = 0.01
"""Stripes of so much of the values' range are worth a word where there is no other noise."""
TELLING = 0.15
"""Share of the bands of brightness whose blocks must hold noise alone; fewer do by chance."""
SHARP = 0.05
"""Levels with a smaller share of the variance around them tell the noise by themselves."""
HARDLY = 1e-4
"""Noise below this share of the values' range is none, where values have no steps."""

SMALL = "too small to tell whether neighbours share their noise: taken for noise that they do not"
TOO_TEXTURED = (
    "texture everywhere, no place is flat: what was measured may be texture, and is the most that noise can be"
)
TEXTURE = "texture everywhere hides whether neighbours share their noise: taken for noise that they do not"

REPEATING = {
    "mosaic": "looks like a colour filter mosaic: demosaic first, or give the four planes as channels",
    "periodic": "a pattern repeats every few pixels, as a printer's screen or interlaced rows do: what was measured is "
    "the most that noise can be",
}
PATTERN = (
    "the values are closer to a few levels than the differences of neighbours would let noise be: those are taken for "
    "a pattern, and noise for what is around the levels"
)


@dataclass(frozen=True)
class NoiseSurvey:
    """What the noise of one channel is like; the unit is that of the images' values.

    kind: "ordinary"; "noise-free"; "textured", whose noise, if any, texture hides: the model is the most that it can
    be; "mosaic" of colour filters and "periodic", patterns that repeat every few pixels, likewise; "binary" and
    "label", which have no noise that could be taken away. model: variance
    at each brightness of one pixel. curve: what it was drawn through; None where there is no noise to measure.
    temporal: whether it was measured from frame to frame. correlation: ``(2 R + 1, 2 R + 1)``, of a pixel's noise with
    that of the pixels around it, 1 in the middle. spacing: of every so many-th pixel the noise is white; 1: of all.
    stripes: standard deviation of what whole rows, and whole columns, have in common. clipped_low, clipped_high: shares
    of pixels cut off. hot, dead: positions ``(n, 2)``, row and column. jpeg_blocks: by which share steps at borders of
    8x8 blocks are larger than others, 0 without them. range: lowest and highest value. notes: what is worth saying.
    impulses: share of pixels that stand out of all around them farther than noise does.
    """

    kind: Kind
    model: NoiseModel
    curve: NoiseCurve | None
    temporal: bool
    correlation: np.ndarray
    spacing: int
    stripes: tuple[float, float]
    clipped_low: float
    clipped_high: float
    hot: np.ndarray
    dead: np.ndarray
    jpeg_blocks: float
    range: tuple[float, float]
    notes: tuple[str, ...] = ()
    impulses: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether a line through variance and brightness says what the noise is."""
        return self.curve is None or self.curve.misfit <= MISFIT

    @property
    def white(self) -> bool:
        """Whether a pixel's noise says nothing of its neighbour's."""
        return self.spacing == 1


def survey(images: Sequence[np.ndarray], frames: bool = False) -> NoiseSurvey:
    """Measure the noise of images of one camera and setting.

    images: arrays ``(H, W)``, one channel, any numeric type and unit; NaN marks pixels without a value. frames: whether
    they may show one scene, one after another; whether it moves is tested.

    Raises CuelloError where the images are too small, or cut off nearly everywhere.
    """
    images = [without_infinity(np.asarray(image)) for image in images]
    checked(images)
    kind = kind_of(images)
    values = [finite(image) for image in images]
    low, high = float(min(one.min() for one in values)), float(max(one.max() for one in values))
    if kind != "ordinary":
        return nothing(kind, (low, high))
    curves = {1: estimate_noise(images)}
    pattern = sharper_curve(images, curves[1])
    around = None if pattern is None else float(np.median(pattern.variance) / np.median(curves[1].variance))
    curves[1] = pattern or curves[1]
    if is_noise_free(curves[1], step_of(images), high - low):
        return with_stripes(nothing("noise-free", (low, high)), images)
    seen = seen_of(images, curves, around)
    kind, spacing, correlation, notes = seen.kind, seen.spacing, seen.correlation, list(seen.notes)
    curve, temporal = curves[spacing], False
    if frames:
        found = temporal_noise(images, curve.model)
        if isinstance(found, TemporalNoise):
            curve, temporal, kind = found.curve, True, kind if kind == "mosaic" else "ordinary"
            notes = [note for note in notes if note not in (TOO_TEXTURED, REPEATING["periodic"])]
            scale = np.sqrt(np.maximum(curve.model.variance(found.mean), np.median(curve.variance) / 100))
            correlation = correlation_of([one / scale for one in found.residuals])
            spacing = spacing_of(correlation)
        else:
            notes.append(f"noise was measured in each image by itself: {found}")
    if spacing > 1 and spacing == max(curves):
        notes.append(f"the noise is correlated over {spacing} pixels and perhaps more")
    cut = clipped(images)
    points = defects(images, curve.model)
    notes += unusual(curve, points.impulses)
    return NoiseSurvey(
        kind=kind, model=curve.model, curve=curve, temporal=temporal, correlation=correlation, spacing=spacing,
        stripes=stripes(images), clipped_low=cut[0], clipped_high=cut[1], hot=points.hot, dead=points.dead,
        jpeg_blocks=jpeg_blocks(images), range=(low, high), notes=tuple(notes), impulses=points.impulses,
    )  # fmt: skip


def unshared() -> np.ndarray:
    """Give the correlation of noise that says nothing of its neighbour's."""
    alone = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    alone[REACH, REACH] = 1
    return alone


@dataclass(frozen=True)
class BlocksSeen:
    """What blocks tell of neighbours: kind, spacing, correlation and notes, see ``NoiseSurvey``."""

    kind: Kind = "ordinary"
    spacing: int = 1
    correlation: np.ndarray = field(default_factory=unshared)
    notes: tuple[str, ...] = ()


def seen_of(images: Sequence[np.ndarray], curves: dict[int, NoiseCurve], around: float | None) -> BlocksSeen:
    """Tell whether neighbours share noise, and whether it is noise.

    curves: of all pixels (1); those of every so many-th are added where needed. around: where values lie on
    few levels, the share of the variance that they have around those; else None.
    """
    if around is not None and around < SHARP:
        return BlocksSeen(notes=(PATTERN,))
    bands = spectra_of(images)
    if (kind := repeating(bands)) is not None:
        return BlocksSeen(kind, notes=(REPEATING[kind],))
    if around is not None:
        return BlocksSeen(notes=(PATTERN,))
    if not bands:
        return BlocksSeen(notes=(SMALL,))
    telling = [band for band in bands if stands_alone(band)]
    if telling and len(telling) >= TELLING * len(bands):
        return shared_of(images, power(telling), curves)
    if hides_noise(blocks_of(images)):
        return BlocksSeen("textured", notes=(TOO_TEXTURED,))
    return BlocksSeen() if is_white(power(bands)) else BlocksSeen(notes=(TEXTURE,))


def shared_of(images: Sequence[np.ndarray], spectrum: np.ndarray, curves: dict[int, NoiseCurve]) -> BlocksSeen:
    """Find the spacing at which noise that stands alone, with this spectrum, is white, and its autocorrelation."""
    if not is_white(spectrum):
        curves |= spaced_curves(images)
    spacing = white_spacing(curves)
    if spacing > 1 and sharper_curve(images, curves[spacing]) is not None:  # squares, which sub-sampling breaks up
        return BlocksSeen(notes=(PATTERN,))
    return BlocksSeen(spacing=spacing, correlation=autocorrelation(spectrum, share_of(curves, spacing)))


def without_infinity(image: np.ndarray) -> np.ndarray:
    """Give NaN for infinite values."""
    return np.where(np.isinf(image), np.nan, image) if image.dtype.kind == "f" and np.isinf(image).any() else image


def checked(images: Sequence[np.ndarray]) -> None:
    """Raise CuelloError for what are no images of one channel."""
    if not images:
        raise CuelloError("got no image, needed one or more arrays (H, W).")
    for image in images:
        if image.ndim != 2 or image.dtype.kind not in "uifb":
            raise CuelloError(f"got an array {image.shape} of {image.dtype}, needed numbers (H, W), one channel.")
        if not (values := finite(image)).size:
            raise CuelloError("got an image without a single finite value.")
        check_size(values)


def check_size(values: np.ndarray) -> None:
    """Raise CuelloError where values, all of them numbers, are too large to be squared."""
    if (largest := max(abs(float(values.min())), abs(float(values.max())))) > LARGEST:
        raise CuelloError(f"got values as large as {largest:g}, needed {LARGEST:g} at most: divide them first.")


def is_noise_free(curve: NoiseCurve, step: float, span: float) -> bool:
    """Tell whether what was measured is no more than rounding."""
    if step > 0 and curve.model == NoiseModel(step, 0.0):  # single photons, most pixels have none
        return False
    deviation = float(np.sqrt(np.median(curve.variance)))
    return deviation < max(NO_NOISE * step, HARDLY * span)


def unusual(curve: NoiseCurve, impulses: float) -> list[str]:
    """Say that there are impulses, and that no line fits, where that is so."""
    said = [f"{impulses:.1%} of the pixels stand out of all around them, as impulses do"] if impulses > IMPULSES else []
    return [*said, no_line(curve)] if curve.misfit > MISFIT else said


def with_stripes(found: NoiseSurvey, images: Sequence[np.ndarray]) -> NoiseSurvey:
    """Add the stripes of images without other noise, and a word on them."""
    both = stripes(images)
    span = found.range[1] - found.range[0]
    said = [
        f"whole {name} differ from those beside them by σ {one:.3g}, as stripes do; no pixel has noise of its own"
        for name, one in zip(("rows", "columns"), both, strict=True)
        if one > STRIPES * span > 0
    ]
    return replace(found, stripes=both, notes=(*found.notes, *said))


def share_of(curves: dict[int, NoiseCurve], spacing: int) -> float:
    """Give the share of the variance that high frequencies of neighbouring pixels hold."""
    at = curves[1].brightness
    whole = np.median(curves[spacing].model.variance(at))
    return float(min(1.0, np.median(curves[1].model.variance(at)) / max(whole, np.finfo(float).tiny)))


def no_line(curve: NoiseCurve) -> str:
    """Say that no line fits, what was tried, and what does fit."""
    squares = np.median(curve.variance / np.maximum(curve.brightness**2, np.finfo(float).tiny)) * curve.brightness**2
    off = float(np.median(np.abs(curve.variance / np.maximum(squares, np.finfo(float).tiny) - 1)))
    far, further = (f"{min(share, 1):.0%}{' or more' if share > 1 else ''}" for share in (curve.misfit, off))
    said = f"no line fits: half of the brightness bands are {far} off"
    if off < min(curve.misfit / 2, MISFIT):
        return f"{said}; the square of the brightness is {further} off: the noise multiplies, as speckle does"
    return (
        f"{said}. Tried: a constant, a line (photons and reading), a square (speckle, {further} off). Texture may hide "
        "weak noise, or the values were changed by a curve"
    )


def nothing(kind: Kind, range: tuple[float, float]) -> NoiseSurvey:
    """Give the survey of images that have no noise."""
    none = np.empty((0, 2), int)
    return NoiseSurvey(
        kind=kind, model=NoiseModel(0.0, 0.0), curve=None, temporal=False, correlation=unshared(), spacing=1,
        stripes=(0.0, 0.0), clipped_low=0.0, clipped_high=0.0, hot=none, dead=none, jpeg_blocks=0.0, range=range,
    )  # fmt: skip
