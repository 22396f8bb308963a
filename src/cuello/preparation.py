"""From a configuration to batches: images read, divided, cut."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cuello.config import TrainConfig
from cuello.data.batches import Batches, tiles_in
from cuello.data.catalog import CATALOG, open_source
from cuello.data.images import Images, ReportProgress, load_images, pair, parse_size
from cuello.data.split import Split, split
from cuello.errors import CuelloError
from cuello.losses import LOSSES

MOST_VALIDATION_CROPS = 500


@dataclass(frozen=True)
class Prepared:
    """The data of a training: all images, which are for what, and their batches (test may be empty)."""

    images: Images
    split: Split
    training: Batches
    validation: Batches
    test: Batches | None
    fingerprint: str


def read_images(config: TrainConfig, progress: ReportProgress | None = None) -> Images:
    """Read the images (and the clean counterparts, for data in pairs) that a configuration names."""
    size = parse_size(config.resize)
    images = load_images(open_source(config.data), config.channels, size, config.on_error, progress)
    if config.target is None:
        return images
    targets = load_images(open_source(config.target), images.channels, size, config.on_error, progress)
    return pair(images, targets)


def prepare(config: TrainConfig, progress: ReportProgress | None = None) -> Prepared:
    """Read, divide and cut the images of a configuration.

    Raises CuelloError for a test set that nothing may be trained on, too few images, sizes that do not fit.
    """
    if config.data in CATALOG and CATALOG[config.data].test_only:
        raise CuelloError(
            f"{config.data!r} is a published test set: nothing is trained, tuned or stopped on it. "
            "Train on other images and give it to `cuello evaluate`."
        )
    images = read_images(config, progress)
    parts = split(len(images), config.validation, config.test, config.split_seed, images.held_out)
    layout = "grid" if config.crops == "grid" else "fixed"

    def fixed(ids: np.ndarray) -> Batches:
        count = config.validation_samples
        if count is None and config.crop is not None:
            count = min(MOST_VALIDATION_CROPS, max(1, tiles_in(images, ids, config.crop)))
        return Batches(images, ids, batch_size=64, crop=config.crop, layout=layout, count=count, seed=config.split_seed)

    training = Batches(
        images,
        parts.train,
        batch_size=config.batch_size,
        crop=config.crop,
        layout=config.crops,
        count=config.samples,
        seed=config.seed,
        shuffle=True,
        augment=config.augment,
    )
    smallest = LOSSES[config.loss].smallest_side
    if min(training.size) < smallest:
        raise CuelloError(
            f"the loss {config.loss!r} needs images of at least {smallest}×{smallest} pixels, got "
            f"{training.size[1]}×{training.size[0]}. Choose another --loss or a larger --crop."
        )
    test = fixed(parts.test) if len(parts.test) else None
    clean = images.targets or ()
    known = fingerprint([*images.names, *images.names[: len(clean)]], [*images.arrays, *clean])
    return Prepared(images, parts, training, fixed(parts.validation), test, known)


def fingerprint(names: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
    """Return a checksum of images: of their names, shapes, types and pixels."""
    state = hashlib.blake2b(digest_size=16)
    for name, array in zip(names, arrays, strict=True):
        state.update(f"{name}/{array.shape}/{array.dtype}".encode())
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
