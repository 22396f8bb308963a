"""What numbers of fewer bits cost: two ONNX files of one network on the same images, against what should come out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.core.resample import resize
from cuello.core.types import Batch, Pair, Pairing
from cuello.data.catalog import open_source
from cuello.data.images import load_images
from cuello.exporting.precision import Given
from cuello.inference.model import Model
from cuello.jobs.base import GivenPairing
from cuello.jobs.catalog import JOBS
from cuello.runs.settings import trained_config
from cuello.scoring.metrics import counts, psnr

MOST_COST = 0.5
"""Decibels above which it is said loudly."""
MOST_WRONG = 0.01
"""Share of classes that become others above which it is said loudly."""
SIDE = 192
"""Pixels of a side of a cut photograph."""
CALIBRATED, MEASURED, CLASSIFIED = 16, 64, 512
"""Images at most for calibration, for measuring, and for measuring classes."""


@dataclass(frozen=True)
class Sample:
    """An image ``(1, C, H, W)`` in [0, 1] as it goes in, and what should come out: an image, a class, or unknown."""

    image: np.ndarray
    target: np.ndarray | int | None = None


@dataclass(frozen=True)
class Samples:
    """Images to calibrate with, others to measure on, and whose they are, in words."""

    calibration: Sequence[Sample]
    measured: Sequence[Sample]
    origin: str


@dataclass(frozen=True)
class Cost:
    """What was measured on ``images`` images, those that ``origin`` says; None: what this network or these have not.

    psnr_float32, psnr: dB against the clean images, in full and in reduced precision. apart: PSNR of one result against
    the other, in dB. changed: share of images whose class became another. accuracy_float32, accuracy: shares of right
    classes.
    """

    precision: str
    images: int
    origin: str
    psnr_float32: float | None = None
    psnr: float | None = None
    apart: float | None = None
    changed: float | None = None
    accuracy_float32: float | None = None
    accuracy: float | None = None

    @property
    def decibels(self) -> float | None:
        """How much PSNR is lost."""
        return None if self.psnr is None or self.psnr_float32 is None else self.psnr_float32 - self.psnr

    @property
    def too_much(self) -> bool:
        """Whether its author should be warned."""
        lost = self.decibels
        return (lost is not None and not lost <= MOST_COST) or (self.changed or 0) > MOST_WRONG

    @property
    def words(self) -> str:
        """Say it in a sentence."""
        where = f"on {self.images} images: {self.origin}"
        if self.changed is not None:
            right = ""
            if self.accuracy is not None and self.accuracy_float32 is not None:
                right = f", accuracy {self.accuracy:.2%} instead of {self.accuracy_float32:.2%}"
            return f"{self.precision} changes the class of {self.changed:.2%}{right} ({where})"
        if self.decibels is None:
            return (
                f"{self.precision} gives results whose PSNR beside float32's is {self.apart:.1f} dB; what that costs "
                f"is not known without clean images ({where})"
            )
        clean = f"PSNR {self.psnr:.2f} dB, not {self.psnr_float32:.2f}"
        return f"{self.precision} costs {self.decibels:z.2f} dB: {clean} ({where})"

    @property
    def lost(self) -> str:
        """Say how much is lost, beside the limit."""
        if self.changed is not None:
            return f"{self.precision} changes the class of {self.changed:.1%} of the images, more than {MOST_WRONG:.0%}"
        return f"{self.precision} loses {self.decibels or 0:.2f} dB, more than {MOST_COST:g}"

    @property
    def facts(self) -> dict[str, Any]:
        """What is known, as JSON holds it."""
        return {name: value for name, value in {**asdict(self), "cost": self.decibels}.items() if value is not None}


Answer = Callable[[Given], np.ndarray]
"""What a file gives for inputs by name."""


def measure(samples: Samples, precision: str, *, full: Answer, less: Answer, given: Given) -> Cost:
    """Compare two files of a network, ``full`` and ``less`` precise; given: what goes in beside the image."""
    both = []
    for sample in samples.measured:
        inputs = {**given, "image": sample.image}
        both.append((sample.target, full(inputs), less(inputs)))
    about = {"precision": precision, "images": len(both), "origin": samples.origin}
    if both[0][1].ndim == 2:
        classes = [(target, int(one.argmax()), int(other.argmax())) for target, one, other in both]
        changed = float(np.mean([one != other for _, one, other in classes]))
        if any(target is None for target, *_ in classes):
            return Cost(**about, changed=changed)
        before, after = (float(np.mean([row[0] == row[place] for row in classes])) for place in (1, 2))
        return Cost(**about, changed=changed, accuracy_float32=before, accuracy=after)
    apart = mean_psnr([(one, other) for _, one, other in both])
    clean = [(target, one, other) for target, one, other in both if isinstance(target, np.ndarray)]
    clean = [row for row in clean if row[0].shape == row[1].shape]
    if len(clean) < len(both):
        return Cost(**about, apart=apart)
    before, after = (mean_psnr([(row[0], row[place]) for row in clean]) for place in (1, 2))
    return Cost(**about, apart=apart, psnr_float32=before, psnr=after)


def mean_psnr(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the mean of all that are not perfect; that of perfection where all are."""
    found = np.array([psnr(torch.from_numpy(one), torch.from_numpy(other)).mean().item() for one, other in pairs])
    return float(found[counts(found)].mean() if counts(found).any() else found.max())


def samples_for(model: Model) -> Samples:
    """Return the run's own images, as its training saw them; photographs, cut, where they are not at hand.

    Calibration takes the run's training images, measuring its validation images; or every other photograph.
    """
    run = model._run
    if run is not None and JOBS[model.artefact.job].gives != "maps":
        with suppress(CuelloError):
            return own_samples(model, trained_config(run))
    return photographs(model)


def own_samples(model: Model, config: TrainConfig) -> Samples:
    """Cut a run's images as for its training; CuelloError where they are not at hand."""
    job = JOBS[config.job]
    data = job.data(config)
    pairing = data.pairing or job.pairing(config)
    training, validation = (
        list(islice(one_by_one(batches.epoch(0), pairing, config.seed), CLASSIFIED if model.classes else MEASURED))
        for batches in (data.prepared.training, data.prepared.validation)
    )
    return Samples(training[:CALIBRATED], validation, "the run's validation images")


def one_by_one(batches: Iterator[Batch], pairing: Pairing, seed: int) -> Iterator[Sample]:
    """Give what goes in and should come out, image by image."""
    for batch in batches:
        pair = pairing.pair_each(batch, seed)
        clean = pair.loss is None
        for row in range(len(pair.x)):
            target = pair.target[row : row + 1]
            known = None if not clean else int(target) if target.ndim == 1 else target.numpy()
            yield Sample(np.ascontiguousarray(pair.x[row : row + 1].float().numpy()), known)


def photographs(model: Model) -> Samples:
    """Cut the photographs that come with scikit-image, and spoil them as the training did, where that is known."""
    images = load_images(open_source("photos"), 3)
    height, width = model.size or (SIDE * model.scale, SIDE * model.scale)
    samples = []
    for number, pixels in enumerate(images.arrays):
        side = min(pixels.shape[0], pixels.shape[1], SIDE * model.scale)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        cut = torch.from_numpy(pixels[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None] / 255
        cut = cut if (side, side) == (height, width) else resize(cut, (height, width)).clamp(0, 1)
        samples.extend(spoilt(model, Batch(cut[:, np.arange(model.channels) % 3], torch.tensor([number]))))
    return Samples(samples[::2], samples[1::2], "photographs that come with scikit-image")


def spoilt(model: Model, batch: Batch) -> Iterator[Sample]:
    """Make a pair as the model's job does; what should come out is unknown where it cannot."""
    job = JOBS[model.artefact.job]
    pair = Pair(batch.images, batch.images, loss=lambda run: run(batch.images))  # nothing is known to be clean
    if job.gives == "images" and not model.artefact.method:
        with suppress(CuelloError):
            pair = job.pairing(make_config(model.artefact.training)).pair_each(batch, 0)
    return one_by_one(iter([batch]), GivenPairing(lambda _: pair), 0)
