"""What was done to images, in words and as plain values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from cuello.denoising.kinds import Step
from cuello.denoising.restorer import PlaneResult

STEPPED = (
    "noise finer than a step of whole numbers: rounded up and down by turns, which keeps brightness (store the images "
    "as floats for values between)"
)

BLENDED = "put together with results of smaller images as captures tell"

WORSE: dict[Step, str] = {
    "transform": "learned transform scored lower; the plain one was kept",
    "network": "network that went on learning scored lower; the one before was kept",
    "turns": "mean of turned and mirrored results scored lower; the plain one was kept",
}


def summary(done: Sequence[PlaneResult]) -> str:
    """Say in a line what was done to the channels of a file."""
    counts = Counter(phrase(one) for one in done)
    if len(counts) <= 4:
        said = [phrase if count == len(done) == 1 else f"{count}× {phrase}" for phrase, count in counts.items()]
        return "; ".join(said)
    ways = Counter(one.way for one in done)
    sure = [one.score.left for one in done if one.score is not None and one.score.known]
    ends = f"; error about {min(sure):.2f} to {max(sure):.2f} of the noise" if sure else ""
    return f"{', '.join(f'{count}× {way}' for way, count in ways.items())}{ends}"


def phrase(one: PlaneResult) -> str:
    """Say in a few words what was done to one channel."""
    found = one.kind.survey
    if found.kind == "textured":
        return f"too much texture to tell noise from it: left as it is (noise, if any, has at most {level(one)})"
    if found.kind in ("mosaic", "periodic"):
        return f"{found.notes[0]}: left as it is"
    if one.way == "nothing":
        return ", ".join(["no noise found: left as it is", *found.notes])
    parts = [f"{way_of(one)}: {level(one)}"]
    parts[0] += "" if one.own else ", as in the whole set"
    if found.spacing > 1:
        parts.append(f"noise that neighbours share, over {found.spacing} pixels")
    if one.kind.blend is not None:
        parts.append(BLENDED)
    parts += worse(one)
    if one.repaired:
        parts.append(f"{one.repaired} hot or dead pixels repaired")
    if one.stepped:
        parts.append(STEPPED)
    if one.score is not None:
        parts.append(sure(one))
    return ", ".join([*parts, *found.notes])


def way_of(one: PlaneResult) -> str:
    """Say how noise was taken off, and what was learned for it."""
    what = [name for name, learned in (("transform", one.kind.learned), ("network", one.kind.network)) if learned]
    return f"{one.way}, {' and '.join(what)} learned" if what else one.way


def worse(one: PlaneResult) -> list[str]:
    """Say what was tried too, and left out since the images score it lower."""
    return [WORSE[step] for step in one.kind.worse]


def level(one: PlaneResult) -> str:
    """Say how strong the noise is."""
    low, high = sigmas(one)
    return f"σ {low:.3g}" if high < 1.05 * low else f"σ {low:.3g} (dark) to {high:.3g} (bright)"


def sure(one: PlaneResult) -> str:
    """Say how good a result is, as far as can be told."""
    score = one.score
    if score is None:
        return ""
    checks = score.checks.sentence.rstrip(".")
    checks = f"{checks[0].lower()}{checks[1:]}"
    if not score.known:
        return f"too small to tell how much error is left; {checks}"
    return (
        f"error now about {score.left:.2f} ± {score.left_error:.2f} of the noise ({score.gain:.1f} dB less); {checks}"
    )


def sigmas(one: PlaneResult) -> tuple[float, float]:
    """Give the standard deviation of the noise where the image is dark and where it is bright."""
    found = one.kind.survey
    ends = found.curve.brightness[[0, -1]] if found.curve is not None else np.array(found.range)
    low, high = map(float, found.model.deviation(np.sort(ends)))
    return low, high


def values_of(one: PlaneResult) -> dict[str, Any]:
    """Give what was done to one channel as plain values."""
    found, score = one.kind.survey, one.score
    return {
        "method": one.way,
        "learned": {"transform": one.kind.learned, "network": one.kind.network is not None},
        "blended": one.kind.blend is not None,
        "turned": one.kind.turns,
        "scored_lower": list(one.kind.worse),
        "gain": found.model.gain,
        "read": found.model.read,
        "sigma": list(sigmas(one)),
        "spacing": found.spacing,
        "measured_in": "the image" if one.own else "the set",
        "repaired": one.repaired,
        "range": list(found.range),
        "rounded_by_turns": one.stepped,
        "notes": list(found.notes),
        "score": None
        if score is None or not score.known
        else {
            "left": round(score.left, 4), "left_error": round(score.left_error, 4), "gain_db": round(score.gain, 3),
            "residual_is_noise": score.checks.is_noise, "residual": score.checks.sentence,
        },
    }  # fmt: skip
