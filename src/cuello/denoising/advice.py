"""What follows from the noise for the choice of a method, in words."""

from collections.abc import Sequence

import numpy as np

from cuello.noise_models.survey import NoiseSurvey
from cuello.noise_models.whiteness import REACH

STRIPED, BLOCKY, CUT = 0.15, 0.05, 0.005
"""From where stripes, as a share of a pixel's noise, JPEG's blocks and pixels cut off are worth a word."""
EVEN = 1.05
"""A deviation that grows by less than this factor from dark to bright is taken for the same."""
UNEQUAL = 1.3
"""Channels whose deviations differ by such a factor have noise of their own."""


def sigmas(found: NoiseSurvey) -> list[tuple[float, float]]:
    """Give brightness and standard deviation where it is dark, of middle brightness, and where it is bright."""
    if found.curve is None:
        return []
    curve = found.curve
    at = np.quantile(curve.brightness, (0, 0.5, 1))
    measured = np.sqrt(np.interp(at, curve.brightness, curve.variance))  # of frames: no texture is in it
    levels = measured if found.temporal else found.model.deviation(at)
    return [(float(value), float(level)) for value, level in zip(at, levels, strict=True)]


def is_even(found: NoiseSurvey) -> bool:
    """Tell whether the noise is the same at every brightness, or hardly differs."""
    ends = found.model.deviation(np.array([value for value, _ in sigmas(found)]))
    return found.model.gain == 0 or bool(ends.max() < EVEN * ends.min())


def neighbours(found: NoiseSurvey) -> tuple[float, float]:
    """Give the correlation of a pixel's noise with that of the pixel beside it, and of the one below."""
    return float(found.correlation[REACH, REACH + 1]), float(found.correlation[REACH + 1, REACH])


def striped(found: NoiseSurvey) -> list[str]:
    """Name what has stripes: rows, columns, both, or nothing."""
    middle = sigmas(found)[1][1] if found.curve is not None else 0.0
    return [
        name
        for name, level in zip(("rows", "columns"), found.stripes, strict=True)
        if middle and found.fits and level > STRIPED * middle
    ]


def kind_in_words(found: NoiseSurvey) -> str:
    """Say in a sentence what the noise is.

    >>> from cuello.noise_models.survey import nothing
    >>> kind_in_words(nothing("noise-free", (0, 1)))
    'no noise above the rounding of the values'
    """
    if found.kind == "textured":
        return f"too much texture to tell noise from it: noise, if any, has at most σ {sigmas(found)[1][1]:.3g}"
    if found.kind in ("mosaic", "periodic"):
        what = "a colour filter mosaic" if found.kind == "mosaic" else "a pattern that repeats every few pixels"
        return f"{what}, which hides noise: that, if any, has at most σ {sigmas(found)[1][1]:.3g}"
    if found.kind != "ordinary":
        return {"noise-free": "no noise above the rounding of the values"}.get(found.kind, f"a {found.kind} image")
    ends = [level for _, level in sigmas(found)]
    how = f"σ {ends[0]:.3g} where dark to {ends[2]:.3g} where bright" if not is_even(found) else f"σ {ends[1]:.3g}"
    if not found.fits:
        return f"noise that no line fits, about {how}"
    kind = "photons and reading" if not is_even(found) else "the same at every brightness"
    gain = "" if is_even(found) else f", gain {found.model.gain:.3g}"
    noise = "white noise" if found.white else f"noise correlated over {found.spacing} pixels"
    return f"{noise} ({kind}){gain}, {how}"


def advice(channels: Sequence[NoiseSurvey]) -> list[str]:
    """Say what follows for the choice of a method, most important first."""
    noisy = [one for one in channels if one.kind == "ordinary"]
    if any(one.kind == "textured" for one in channels) and not noisy:
        return [
            "Where no place is flat, noise and texture cannot be told apart in single images: give images of the same "
            "camera and setting with flat places, or several of one scene that stands still."
        ]
    if any(one.kind == "mosaic" for one in channels) and not noisy:
        return ["Demosaic first, or give the four planes (every second row and column) as channels, and measure those."]
    if any(one.kind == "periodic" for one in channels) and not noisy:
        return [
            "Take the pattern away first, or give images without it: any method would blur it, or take it for noise."
        ]
    if not noisy:
        return ["There is nothing to take away: any method would take structure."]
    said = [about_neighbours(noisy), about_brightness(noisy)]
    if any(one.temporal for one in noisy):
        said.append(
            "The scene stands still from image to image: one image can teach and judge another's result, which is the "
            "best there is without a clean one."
        )
    if stripes := sorted({name for one in noisy for name in striped(one)}, reverse=True):
        said.append(
            f"Whole {' and '.join(stripes)} share an offset (stripes): a method that looks at single pixels takes it "
            "for structure. Training needs masks along them."
        )
    low, high = max(one.clipped_low for one in noisy), max(one.clipped_high for one in noisy)
    if high > CUT:
        said.append(f"{high:.1%} of the pixels are cut off where bright: what was lost stays lost; expose less.")
    if low > CUT:
        said.append(f"{low:.1%} of the pixels are cut off where dark: their mean is too bright; raise the offset.")
    if sum(len(one.hot) + len(one.dead) for one in noisy):
        said.append("Hot and dead pixels are to be repaired before anything else.")
    if any(one.jpeg_blocks > BLOCKY for one in noisy):
        said.append(
            "JPEG's blocks are in the images: it changed the noise, which is no longer a camera's. Save as PNG or TIFF."
        )
    middle = [sigmas(one)[1][1] for one in noisy]
    if len(noisy) > 1 and max(middle) > UNEQUAL * min(middle):
        said.append("The channels' noise differs in strength: each needs a model of its own, as it has here.")
    return said


def ordinal(number: int) -> str:
    """Write which one of several.

    >>> ordinal(2), ordinal(3), ordinal(4)
    ('2nd', '3rd', '4th')
    """
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"


def about_neighbours(noisy: Sequence[NoiseSurvey]) -> str:
    most = max(one.spacing for one in noisy)
    if most == 1:
        return (
            "A pixel's noise says nothing of its neighbour's: methods for white noise fit, and a network can learn "
            "from the images alone with single pixels hidden (blind-spot)."
        )
    return (
        f"Neighbours share noise over {most} pixels: methods for white noise, and training with single pixels hidden, "
        f"take it for structure. Take every {ordinal(most)} pixel at a time, or hide neighbours too."
    )


def about_brightness(noisy: Sequence[NoiseSurvey]) -> str:
    if not all(one.fits for one in noisy):
        return (
            "No line fits variance against brightness: a transform by it is a guess; compare results with and without."
        )
    if all(map(is_even, noisy)):
        return "The noise is the same at every brightness: no transform is needed."
    return "The noise grows with brightness: a transform makes it even, and methods for even noise fit behind it."
