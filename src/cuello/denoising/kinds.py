"""The kinds of noise in a set: images of one camera and setting have one, whose model all of them measure together."""

from collections.abc import Sequence

import numpy as np

from cuello.core.errors import CuelloError
from cuello.noise.survey import NoiseSurvey, survey

ALIKE = 1.5
"""How many times as much variance, at the same brightness, is still the same noise."""


def kinds_of(images: Sequence[np.ndarray]) -> list[NoiseSurvey]:
    """Measure the noise of images ``(H, W, C)``, channels of one kind together; kinds that one has are left out."""
    groups: list[tuple[NoiseSurvey, list[np.ndarray]]] = []
    if len(images) < 2:
        return []
    for plane in (image[:, :, channel] for image in images for channel in range(image.shape[2])):
        try:
            own = survey([plane])
        except CuelloError:  # too small
            continue
        if own.kind != "ordinary":
            continue
        alike = fitting(own, [first for first, _ in groups])
        if alike is None:
            groups.append((own, [plane]))
        else:
            next(members for first, members in groups if first is alike).append(plane)
    return [survey(members) for _, members in groups if len(members) > 1]


def fitting(own: NoiseSurvey, kinds: Sequence[NoiseSurvey]) -> NoiseSurvey | None:
    """Return the kind that fits noise measured in one channel best, None where none has nearly the same variance."""
    near = [(difference(own, kind), place) for place, kind in enumerate(kinds) if kind.spacing == own.spacing]
    least, place = min(near, default=(np.inf, 0))
    return kinds[place] if least <= np.log(ALIKE) else None


def difference(own: NoiseSurvey, other: NoiseSurvey) -> float:
    """Tell how far the variance of one kind is from that measured: as a logarithm, the median over brightness."""
    if own.curve is None:
        return np.inf
    at = own.curve.brightness
    least = np.finfo(float).tiny
    mine, theirs = (np.maximum(one.model.variance(at), least) for one in (own, other))
    return float(np.median(np.abs(np.log(mine / theirs))))
