"""Learning to denoise from noisy images alone: what the settings mean, what is known of the noise, the pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Generator, Tensor

from cuello.core.config import AUTO, TrainConfig, make_config
from cuello.core.errors import CuelloError, worded
from cuello.core.progress import OnProgress, silent
from cuello.core.seeding import generator
from cuello.core.spread import spread_evenly
from cuello.core.types import Batch, Pair
from cuello.data.catalog import CATALOG, measured_levels, open_source
from cuello.data.crops import tiles_in
from cuello.data.images import Images
from cuello.data.levels import LITTLE, MARGIN, Levels, exact, full_scale, parse_levels
from cuello.data.split import Split
from cuello.jobs.base import JobData
from cuello.jobs.data import cut, fingerprint_of, open_images, parts_of
from cuello.jobs.images.frames import check_pairs, frame_pairs
from cuello.models.stabilised import Domain
from cuello.noise_models.model import NoiseModel
from cuello.noise_models.survey import NoiseSurvey, survey
from cuello.training.blind.base import BlindMethod, KnownNoise
from cuello.training.blind.catalog import METHODS
from cuello.training.ranks.draws import drawn_whole

PAIRS, FRAMES = "pairs", "frames"
LOOKED_AT = 16
"""Images from which the noise is estimated, at most."""
CROP, CROPS = 64, 2048
"""Side of the crops to train on, in pixels, and how many at least there are in an epoch, where nothing else is said."""
SMALLEST = 8
"""Side of the smallest crop that is chosen, in pixels; others are multiples of it."""
FEW = 8
"""Images that are looked at before the training, at most."""
FEWEST = 3
"""Images of which some can be kept from training; fewer are trained on and validated on whole."""
LEAST = 1e-4
"""Noise that a channel is taken to have at least, where others have some; white is 1."""
ALIKE, STRIPED = 0.1, 0.15
"""Correlation of two pixels' noise, and share of the noise that rows or columns have in common, that are too much to be
passed over."""
UNLIKE = 1.5
"""How many times as much noise one channel has as another for each to be named."""
STRIPE = 8
"""Pixels to either side that are hidden along a row or column that has noise in common."""


@dataclass(frozen=True)
class BlindTask:
    """Makes what a network learns from of noisy images.

    method: how. known: what is known of their noise. unit: the noise's variance, in which losses are counted: in units
    of white they would be thousandths, which no limit on gradients would hold when a training goes astray. domain: what
    the network sees of them; None: they are as they are.
    """

    method: BlindMethod
    known: KnownNoise
    unit: float
    domain: Domain | None = None
    degradation: None = None

    def pair(self, batch: Batch, random: Generator) -> Pair:
        copies = (batch.images,) if batch.targets is None else (batch.images, batch.targets)
        pair = self.method.pair(tuple(self.seen(one) for one in copies), self.known, random)
        loss = pair.loss
        assert loss is not None
        return pair._replace(loss=lambda run: loss(run) / self.unit)

    def pair_each(self, batch: Batch, seed: int) -> Pair:
        """Return what training does, always the same for a batch that begins with the same image."""
        first = int(batch.ids[0]) - (0 if batch.rows is None else batch.rows.start)
        with drawn_whole(batch.rows):
            return self.pair(batch, generator(seed, "evaluation noise", 0, index=first))

    def seen(self, images: Tensor) -> Tensor:
        return images if self.domain is None else self.domain.into(images)

    @property
    def models(self) -> Sequence[NoiseModel]:
        return () if self.domain is None else self.domain.models

    @property
    def correlation(self) -> list[list[float]]:
        return [] if self.known.correlation is None else self.known.correlation.tolist()


# Settings


def is_blind(config: TrainConfig) -> bool:
    """Tell whether complete settings are of a training without clean images."""
    return config.method is not None


def asks_blind(config: TrainConfig) -> bool:
    """Tell whether settings as they are given leave nothing clean to learn from."""
    return config.noise is None and (config.target is None or bool(config.noisy_target))


def check_blind(config: TrainConfig) -> None:
    """Raise CuelloError for settings that do not go with learning from noisy images, or that need it and have not."""
    if config.noisy_target and config.target is None:
        raise CuelloError("got --noisy-target=True without --target: name the folder of the other noisy images there.")
    if not asks_blind(config):
        for name in ("method", "noisy_target"):
            if getattr(config, name):
                clean = f"--noise={config.noise}" if config.noise is not None else f"--target={config.target}"
                raise CuelloError(
                    f"got --{name.replace('_', '-')}={getattr(config, name)} and {clean}: the one is for learning from "
                    "noisy images alone, the other from clean ones. Leave one out."
                )
        return
    if config.target is None and config.data in CATALOG:
        raise CuelloError(
            f"no noise was given: add e.g. --noise=salt-pepper:0.2 (see `cuello noises`). {config.data!r} is a data "
            "set of clean images; noisy ones of your own need none."
        )
    method = config.method or AUTO
    if method != AUTO:
        needs = METHODS[method].needs
        if (needs == PAIRS) != (config.target is not None):
            has = "two noisy images of every scene" if config.target is not None else "one noisy image of every scene"
            remedy = "--method=pairs" if config.target is not None else "--target=OTHER-NOISY --noisy-target=True"
            raise CuelloError(f"got --method={method} and {has}. Use {remedy}, or leave --method out.")
    if "loss" in config.model_fields_set and config.loss != "mse":
        raise CuelloError(
            f"got --loss={config.loss} for learning from noisy images, where only the squared error has the clean "
            "image as its best answer. Leave it out, or use --loss=mse."
        )


def recommended(config: TrainConfig) -> dict[str, Any]:
    """Return what is best where nothing else is said: crops, a range that holds the values, no image kept for testing.

    Nothing is tested against clean images, so that all may be learned from.
    """
    found: dict[str, Any] = {"loss": "mse", "method": PAIRS if config.target is not None else AUTO}
    if config.fold is None:
        found["test"] = 0.0
    pictures = looked_at(config)
    if config.range is None and (levels := range_needed(config, pictures)) is not None:
        found["range"] = f"{exact(levels.black)}..{exact(levels.white)}"
        ranged = make_config({**config.model_dump(exclude_unset=True), "range": found["range"]})
        pictures = pictures or looked_at(ranged)
    if config.crop is None and config.resize is None and pictures:
        smallest = min(min(pixels.shape[:2]) for pixels in pictures)
        if smallest >= SMALLEST:
            found["crop"] = min(CROP, smallest // SMALLEST * SMALLEST)
    return found


def looked_at(config: TrainConfig) -> list[np.ndarray]:
    """Read a few images as a training would; an empty list where they cannot be, which is said in its turn."""
    try:
        source = open_source(config.data, parse_levels(config.range))
        places = spread_evenly(len(source.names), FEW).tolist()
        return [source.read(place).pixels for place in places]
    except CuelloError:
        return []


def range_needed(config: TrainConfig, pictures: Sequence[np.ndarray]) -> Levels | None:
    """Return the range of all images, with some room, where they fill little of their type's, or have none."""
    if pictures:
        low, high = min(float(one.min()) for one in pictures), max(float(one.max()) for one in pictures)
        if high - low >= LITTLE * full_scale(pictures[0].dtype) or low == high:
            return None
    try:
        found = measured_levels([one for one in (config.data, config.target) if one is not None])
    except CuelloError:  # it is said when the images are read
        return None
    room = MARGIN * (found.white - found.black)
    return Levels(rounded(found.black - room), rounded(found.white + room))


def rounded(value: float) -> float:
    """Write a value in four digits: a range with room in it needs no more."""
    return float(f"{value:.4g}")


# Data


def blind_data(config: TrainConfig, progress: OnProgress = silent) -> JobData:
    """Read noisy images, find out what their noise is, and say how they will be learned from.

    Raises CuelloError where there is no noise to learn from.
    """
    images = open_images(config, progress)
    if config.method == FRAMES:
        images = frame_pairs(images)
    elif images.targets is not None:
        check_pairs(images)
    if int(side := np.max(np.min(images.sizes, 1))) < SMALLEST:
        raise CuelloError(
            f"got images of at most {side} pixels along their shorter side, needed {SMALLEST} to learn from noisy "
            "images alone: so few pixels do not show what is noise. Use `cuello denoise`, or larger images."
        )
    parts = blind_parts(images, config)
    known = images.fingerprint or fingerprint_of(images)
    prepared = cut(images, parts, with_enough(config, images, parts), known=known)
    task, said = task_of(images, parts, method=config.method or AUTO)
    prepared = replace(prepared, images=replace(prepared.images, notes=[*prepared.images.notes, said]))
    return JobData(prepared, pairing=task)


def blind_parts(images: Images, config: TrainConfig) -> Split:
    """Divide the images; of too few all are trained on and validated on, by other hidden pixels and draws."""
    if len(images) >= FEWEST or config.validation is not None:
        return parts_of(images, config)
    every = np.arange(len(images))
    return Split(every, every, every[:0])


def with_enough(config: TrainConfig, images: Images, parts: Split) -> TrainConfig:
    """Return the settings with enough crops in an epoch: few images are gone through more than once."""
    if config.samples is not None or config.crop is None:
        return config
    return make_config({**config.model_dump(), "samples": max(CROPS, tiles_in(images, parts.train, config.crop))})


def task_of(images: Images, parts: Split, method: str) -> tuple[BlindTask, str]:
    """Choose what is to be chosen by the images' noise; return it, and the choice in words."""
    if images.targets is not None:
        spec = METHODS[FRAMES if method == FRAMES else PAIRS]
        return BlindTask(spec, KnownNoise(), noise_between(images, parts.train)), (
            f"learns from {len(images)} pairs of noisy images by {spec.name} ({spec.label}), which {spec.summary}"
        )
    surveys = surveys_of(images, parts.train)
    domain = None if surveys is None else Domain([model_of(one, images) for one in surveys])
    known = KnownNoise() if surveys is None or domain is None else known_noise(surveys, domain)
    noise = "its noise could not be measured on so few pixels"
    if surveys is not None and domain is not None:
        noise = noise_words(domain.models) + structure_words(known)
    spec = chosen_method(known) if method == AUTO else METHODS[method]
    if spec.told and known.level is None:
        raise CuelloError(f"got --method={spec.name}, which needs to know the noise, but {noise}. Leave it out.")
    why = worded("; for another, set --method") if method == AUTO else ""
    if spec.white_only and known.reach != (0, 0):
        why = f". {spec.name} takes every pixel's noise for its own and will leave some of it{why}"
    unit = roughness(images, parts.train) if known.level is None else known.level**2
    return BlindTask(spec, known, unit, domain=domain), (
        f"learns from the noisy images alone by {spec.name} ({spec.label}), which {spec.summary}; {noise}{why}"
    )


def chosen_method(known: KnownNoise) -> BlindMethod:
    """Choose the method that fits the noise: what is shared along whole rows or columns can only be hidden."""
    return METHODS["sure" if known.level is not None and max(known.reach) < STRIPE else "blind-spot"]


def surveys_of(images: Images, places: np.ndarray) -> list[NoiseSurvey] | None:
    """Measure the noise of each channel; None where the images are too small for that.

    Raises CuelloError where there is none, or where no image could have any.
    """
    chosen = places[spread_evenly(len(places), LOOKED_AT)]
    arrays = [images.arrays[place] for place in chosen.tolist()]
    try:
        found = [survey([one[..., channel] for one in arrays]) for channel in range(images.channels)]
    except CuelloError:
        return None
    kinds = {one.kind for one in found}
    for kind, what in (("binary", "two values only"), ("label", "plateaus, as of labels")):
        if kinds == {kind}:
            raise CuelloError(
                f"no noise was given: add e.g. --noise=salt-pepper:0.2 (see `cuello noises`). {images.name} holds "
                f"{what}, from which no noise can be learned."
            )
    if kinds == {"noise-free"}:
        raise CuelloError(
            "no noise was given: add e.g. --noise=salt-pepper:0.2 (see `cuello noises`). Without it a network learns "
            f"from the noise of the images themselves, and {images.name} has none that could be measured."
        )
    return found


def half_difference(pairs: Iterable[tuple[np.ndarray, np.ndarray]], white: float) -> float:
    """Return half of the mean square of what two arrays differ by: the noise's variance, where all else is alike."""
    return max(
        float(np.mean([np.square((one.astype(np.float32) - other) / white).mean() / 2 for one, other in pairs])),
        LEAST**2,
    )


def noise_between(images: Images, places: np.ndarray) -> float:
    """Return the variance of the noise in pairs of noisy images, white being 1."""
    targets = images.targets
    assert targets is not None
    chosen = places[spread_evenly(len(places), LOOKED_AT)].tolist()
    return half_difference([(images.arrays[one], targets[one]) for one in chosen], full_scale(images.dtype))


def roughness(images: Images, places: np.ndarray) -> float:
    """Return what the noise's variance is at most, white being 1: half of how pixels differ from those beside them."""
    chosen = [images.arrays[place] for place in places[spread_evenly(len(places), LOOKED_AT)].tolist()]
    return half_difference([(one[:, 1:], one[:, :-1]) for one in chosen], full_scale(images.dtype))


def model_of(found: NoiseSurvey, images: Images) -> NoiseModel:
    """Return a channel's noise, white being 1; a little where others have some, and this has none."""
    white = full_scale(images.dtype)
    model = NoiseModel(found.model.gain / white, found.model.base / white**2)
    return model if float(model.deviation(1.0)) >= LEAST else NoiseModel(0.0, LEAST**2)


def known_noise(surveys: Sequence[NoiseSurvey], domain: Domain) -> KnownNoise:
    """Return what the channels' noise has in common: the widest reach, and the mean correlation where there is any."""
    correlation = np.mean([one.correlation for one in surveys], 0)
    up, left = reach_of(correlation)
    white = (up, left) == (0, 0)
    striped = np.max([stripes_share(one) for one in surveys], 0)
    if striped[0] > STRIPED:
        left = STRIPE
    if striped[1] > STRIPED:
        up = STRIPE
    return KnownNoise(domain.level, (up, left), None if white else correlation)


def reach_of(correlation: np.ndarray) -> tuple[int, int]:
    """Tell how far up and down, and left and right, the noise of pixels is alike.

    >>> reach_of(np.array([[0.0, 0, 0], [0.3, 1, 0.3], [0, 0, 0]]))
    (0, 1)
    """
    rows, columns = np.nonzero(np.abs(correlation) > ALIKE)
    middle = np.array(correlation.shape) // 2
    return int(np.abs(rows - middle[0]).max()), int(np.abs(columns - middle[1]).max())


def stripes_share(found: NoiseSurvey) -> tuple[float, float]:
    """Return what whole rows, and whole columns, have in common, as shares of the noise's standard deviation."""
    typical = 0.0 if found.curve is None else float(np.sqrt(max(np.median(found.curve.variance), 0)))
    rows, columns = found.stripes
    return (rows / typical, columns / typical) if typical else (0.0, 0.0)


def structure_words(known: KnownNoise) -> str:
    """Say in a few words what pixels' noise has in common with their neighbours'."""
    up, left = known.reach
    if (up, left) == (0, 0):
        return ", each pixel's own"
    striped = [name for name, reach in (("columns", up), ("rows", left)) if reach >= STRIPE]
    if striped:
        return f", part of which whole {' and '.join(striped)} share"
    return f", which neighbours share over {up} pixels up and down and {left} left and right"


def noise_words(models: Sequence[NoiseModel]) -> str:
    """Say in a few words what the noise is, in 255ths of white."""
    ends = [(255 * float(model.deviation(0.0)), 255 * float(model.deviation(1.0))) for model in models]
    if max(high for _, high in ends) > UNLIKE * min(high for _, high in ends):
        each = ", ".join(f"{high:.3g}" for _, high in ends)
        return f"noise that differs from channel to channel, of standard deviations of {each} out of 255 at white"
    low, high = (sum(end[place] for end in ends) / len(ends) for place in (0, 1))
    if low > 0.9 * high:
        return f"noise of a standard deviation of {high:.3g} out of 255"
    return f"noise of a standard deviation of {low:.3g} out of 255 at black to {high:.3g} at white"
