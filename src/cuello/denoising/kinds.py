"""The kinds of noise in a set: images of one camera and setting have one, whose model all of them measure together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, silent
from cuello.denoising.blend import Blend, Layers, by_captures
from cuello.denoising.captures import CapturesScore
from cuello.denoising.planes import filled
from cuello.denoising.quick import Transform, deviation_told, hole_of, layers_of, slow_deviation, take_off, transform_of
from cuello.inference.model import Model
from cuello.noise_models.model import apart
from cuello.noise_models.survey import NoiseSurvey, survey
from cuello.scoring.blind import are_captures, judge, judge_by_captures, judge_copies, left_of

Effort = Literal["quick", "normal", "thorough"]
EFFORTS: tuple[Effort, ...] = ("quick", "normal", "thorough")
Step = Literal["transform", "network", "turns"]
"""What more than quick work tries, one after the other."""
ALIKE = 1.5
"""How many times as much variance, at the same brightness, is still the same noise."""
TELLING = 96
"""Side of captures that tell how results are put together, at least."""
LEARNED_FOR, SECONDS, LONG = 3, 40.0, 240.0
"""Kinds of noise in a set for which a transform, or a network, is learned, those that most images have; and what a
transform, and a network, may take, of all kinds together."""
JUDGED, CROP, SEEN = 3, 256, 512
"""Images that judge a way, and the side of what is looked at in each: judged alone, and judged by the others."""


@dataclass(frozen=True)
class PlaneKind:
    """A kind of noise, and how it is taken off.

    survey: what it is like. transform: what makes it even. effort: how much was asked. learned: the transform was
    learned from the images, and does better than the noise model's. network: the one that went on learning from the
    images, and does better than the one that comes with Cuello. turns: images are also restored turned and mirrored.
    blend: how their results and those of smaller images are put together; None where only the former count.
    captures: how good results are by captures of one scene, which the network learned from each other. worse: what was
    tried too and scored lower, so that it is left out. planes: some channels ``(H, W)`` that have it.
    """

    survey: NoiseSurvey
    transform: Transform
    effort: Effort = "quick"
    learned: bool = False
    network: Model | None = field(default=None, repr=False)
    turns: bool = False
    blend: Blend | None = None
    captures: CapturesScore | None = None
    worse: tuple[Step, ...] = ()
    planes: Sequence[np.ndarray] = field(default=(), repr=False)

    @property
    def shared(self) -> bool:
        """Whether several channels measured it."""
        return len(self.planes) > 1

    def take_off(self, values: np.ndarray, network: Model) -> np.ndarray:
        """Take the noise off one channel ``(H, W)`` whose values are all numbers; in its unit, float64."""
        own = self.network or network
        return take_off(
            values, self.transform, self.survey.spacing, network=own, turns=self.turns, blend=self.blend,
            hole=hole_of(self.survey),
        )  # fmt: skip

    def layers(self, values: np.ndarray, network: Model, slow: float) -> Layers:
        """Give what results of one channel ``(H, W)`` are put together of; slow: as of ``Blend``."""
        own, spacing, even = self.network or network, self.survey.spacing, self.transform.there(values)
        return layers_of(even, self.transform.deviation, spacing, network=own, turns=self.turns, slow=slow)


def plain_kind(found: NoiseSurvey, effort: Effort, planes: Sequence[np.ndarray] = ()) -> PlaneKind:
    """Return a kind of noise whose transform is its model's."""
    return PlaneKind(found, transform_of(found) if found.kind == "ordinary" else AS_IT_IS, effort, planes=planes)


AS_IT_IS = Transform(lambda values: values, lambda values: values, 0.0)


def kinds_of(images: Sequence[np.ndarray], effort: Effort) -> list[PlaneKind]:
    """Measure the noise of images ``(H, W, C)``, channels of one kind together, the most frequent first.

    Quickly, kinds that only one channel has are left out: it is measured when it is restored.
    """
    groups: list[tuple[NoiseSurvey, list[np.ndarray]]] = []
    if len(images) < 2 and effort == "quick":
        return []
    for plane in (image[:, :, channel] for image in images for channel in range(image.shape[2])):
        try:
            own = survey([plane])
        except CuelloError:  # too small
            continue
        if own.kind != "ordinary":
            continue
        place = fitting(own, [first for first, _ in groups])
        if place is None:
            groups.append((own, [plane]))
        else:
            groups[place][1].append(plane)
    groups.sort(key=lambda group: -len(group[1]))
    return [
        plain_kind(survey(members) if len(members) > 1 else own, effort, members)
        for own, members in groups
        if len(members) > 1 or effort != "quick"
    ]


def fitting(own: NoiseSurvey, kinds: Sequence[NoiseSurvey]) -> int | None:
    """Return which kind fits noise measured in one channel best, None where none has nearly the same variance."""
    if own.curve is None:
        return None
    at = own.curve.brightness
    near = [(apart(own.model, one.model, at), place) for place, one in enumerate(kinds) if one.spacing == own.spacing]
    least, place = min(near, default=(np.inf, 0))
    return place if least <= np.log(ALIKE) else None


def with_learned(kinds: Sequence[PlaneKind], network: Model, *, progress: OnProgress = silent) -> list[PlaneKind]:
    """Learn a transform, and perhaps a network, for each of the most frequent kinds, and turn images; keep each of
    these where it does better.
    """
    from cuello.denoising.learned import learned

    several = list(kinds)
    count = min(len(several), LEARNED_FOR)
    for place, kind in enumerate(several[:count]):
        planes = [filled(plane.astype(np.float64))[0] for plane in kind.planes]
        curves = learned(planes, kind.survey, network, seconds=SECONDS / count, progress=progress)
        other = blended(replace(kind, transform=curves.transform(), learned=True), network)
        best = kept("transform", blended(kind, network), other, network=network)
        if kind.effort == "thorough":
            best = with_network(best, network, seconds=LONG / count, progress=progress)
        several[place] = best
    rest = [blended(kind, network) for kind in several[count:]]
    return [turned(kind, network) for kind in [*several[:count], *rest]]


def turned(kind: PlaneKind, network: Model) -> PlaneKind:
    """Return the way that restores images turned and mirrored too, where that does better; tried once."""
    tried = kind.turns or "turns" in kind.worse
    return kind if tried else kept("turns", kind, blended(replace(kind, turns=True), network), network=network)


def with_network(kind: PlaneKind, network: Model, *, seconds: float, progress: OnProgress) -> PlaneKind:
    """Let the network go on learning, from captures of one scene by each other, from other images each by itself, and
    keep it where that does better.
    """
    from cuello.denoising.paired import scenes_of

    scenes = scenes_of([filled(plane.astype(np.float64))[0] for plane in kind.planes], kind.survey.model)
    if scenes:
        return learned_from(scenes, kind, network, seconds=seconds, progress=progress)
    own = trained_on(kind, network, seconds=seconds, progress=progress)
    return kept("network", kind, blended(own, network), network=network)


def learned_from(
    scenes: Sequence[Sequence[np.ndarray]], kind: PlaneKind, network: Model, *, seconds: float, progress: OnProgress
) -> PlaneKind:
    """Return the way whose network learned from captures of one scene, where they score it better by what was not
    learned from.
    """
    from cuello.denoising.paired import judge_apart, paired

    before = turned(kind, network)
    spacing = kind.survey.spacing
    own = paired(scenes, kind.transform, spacing, network=network, seconds=seconds, progress=progress)
    after = replace(kind, network=own, turns=True, blend=None)  # weights are of a network that knew no captures
    ways = [lambda noisy: noisy, *(partial(way.take_off, network=network) for way in (before, after))]
    peak = max(float(np.ptp(scenes[0][0])), np.finfo(float).tiny)
    noise, old, new = judge_apart(scenes, ways, peak, progress=progress)
    if not new.mse < old.mse:
        return replace(before, worse=(*before.worse, "network"))
    left, error, gain = left_of(new, noise.mse)
    count = max(map(len, scenes))
    return replace(after, captures=CapturesScore(count, left=left, left_error=error, gain=gain, apart=True))


def kept(step: Step, before: PlaneKind, after: PlaneKind, *, network: Model) -> PlaneKind:
    """Return the way with a step more where it does better, else the way before, which says what was tried."""
    return after if does_better(before, after, network) else replace(before, worse=(*before.worse, step))


def trained_on(kind: PlaneKind, network: Model, *, seconds: float, progress: OnProgress) -> PlaneKind:
    """Return the kind with a network that went on learning from its images."""
    from cuello.denoising.adapted import adapted

    own = adapted(
        [filled(plane.astype(np.float64))[0] for plane in kind.planes], kind.transform, kind.survey.spacing,
        network=network, seconds=seconds, progress=progress,
    )  # fmt: skip
    return replace(kind, network=own)


def blended(kind: PlaneKind, network: Model) -> PlaneKind:
    """Return the way that puts results of the image and of smaller ones together, where captures tell how.

    What captures of one scene, judging each other, score lower so is left as it is.
    """
    found, captures = kind.survey, seen_of(kind)
    if found.kind != "ordinary" or not are_captures(captures, found.model) or min(captures[0].shape) < TELLING:
        return kind
    slow = slow_deviation(found.correlation) / deviation_told(found)
    several = [kind.layers(one, network, slow) for one in captures]
    blend = Blend(by_captures(several), slow)
    back = kind.transform.back
    ways = {"plain": [back(one.fine) for one in several], "blend": [back(blend.of(one)) for one in several]}
    scores = judge_copies(captures, ways, peak=max(float(np.ptp(captures[0])), np.finfo(float).tiny))
    return replace(kind, blend=blend if scores[0].name == "blend" else None)


def does_better(before: PlaneKind, after: PlaneKind, network: Model) -> bool:
    """Tell whether the second of two ways does better on images of theirs, as far as they tell without a clean one.

    Captures of one scene are judged by each other, other images each by itself.
    """
    found = before.survey
    ways = {"before": before, "after": after}
    methods = {name: partial(one.take_off, network=network) for name, one in ways.items()}
    seen = seen_of(before)
    peak = max(float(np.ptp(seen[0])), np.finfo(float).tiny)
    if are_captures(seen, found.model):  # needs no noise model, which neighbours that share their noise make unsure
        scores = judge_by_captures(seen, methods, peak=peak)
    else:
        crops = [crop_of(plane) for plane in before.planes[:JUDGED]]
        correlation = None if found.white else found.correlation
        scores = judge(crops, methods, found.model, peak=peak, correlation=correlation)
    return scores[0].name == "after"


def seen_of(kind: PlaneKind) -> list[np.ndarray]:
    """Cut the middle of channels that judge ways: the first, or those of one scene where each has captures of its own,
    as those of colours have.
    """
    from cuello.denoising.paired import scenes_of

    first = [crop_of(plane, SEEN) for plane in kind.planes[:JUDGED]]
    if are_captures(first, kind.survey.model):
        return first
    scenes = scenes_of([crop_of(plane, SEEN) for plane in kind.planes], kind.survey.model)
    return scenes[0][:JUDGED] if scenes else first


def crop_of(plane: np.ndarray, side: int = CROP) -> np.ndarray:
    """Cut the middle of a channel, its pixels without a value filled."""
    rows, columns = (slice(max(0, (length - side) // 2), max(0, (length - side) // 2) + side) for length in plane.shape)
    return filled(plane[rows, columns].astype(np.float64))[0]
