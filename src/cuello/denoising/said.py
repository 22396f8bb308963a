"""What was done to images, in words and as plain values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from cuello.denoising.restorer import PlaneResult


def summary(done: Sequence[PlaneResult]) -> str:
    """Say in a line what was done to the channels of a file."""
    counts = Counter(phrase(one) for one in done)
    if len(counts) <= 3:
        return "; ".join(phrase if count == len(done) else f"{count}× {phrase}" for phrase, count in counts.items())
    methods = Counter(one.method for one in done)
    ways = ", ".join(f"{count}× {method}" for method, count in methods.items())
    removed = [one.removed for one in done if one.method != "nothing"]
    ends = f"; took away {min(removed):.2f} to {max(removed):.2f} of the noise" if removed else ""
    return f"{ways}{ends}"


def phrase(one: PlaneResult) -> str:
    """Say in a few words what was done to one channel."""
    if one.method == "nothing":
        return "no noise found: left as it is"
    found, low, high = one.survey, *sigmas(one)
    level = f"σ {low:.3g}" if high < 1.05 * low else f"σ {low:.3g} (dark) to {high:.3g} (bright)"
    parts = [f"{one.method}: {level}{'' if one.own else ', as in the whole set'}"]
    if found.spacing > 1:
        parts.append(f"correlated over {found.spacing} pixels")
    if one.repaired:
        parts.append(f"{one.repaired} hot or dead pixels repaired")
    parts += [f"took away {one.removed:.2f} of the noise", *found.notes]
    return ", ".join(parts)


def sigmas(one: PlaneResult) -> tuple[float, float]:
    """Give the standard deviation of the noise where the image is dark and where it is bright."""
    model, curve = one.survey.model, one.survey.curve
    ends = curve.brightness[[0, -1]] if curve is not None else np.array(one.survey.range)
    low, high = sorted(map(float, model.deviation(ends)))
    return low, high


def values_of(one: PlaneResult) -> dict[str, Any]:
    """Give what was done to one channel as plain values."""
    found = one.survey
    return {
        "method": one.method,
        "gain": found.model.gain,
        "read": found.model.read,
        "sigma": list(sigmas(one)),
        "spacing": found.spacing,
        "measured_in": "the image" if one.own else "the set",
        "repaired": one.repaired,
        "removed": round(one.removed, 4),
        "range": list(found.range),
        "notes": list(found.notes),
    }
