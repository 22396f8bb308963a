"""From a configuration to batches: images read, divided, cut."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError, first_few
from cuello.core.progress import OnProgress, silent
from cuello.data.batches import Batches
from cuello.data.catalog import CATALOG, measured_levels, open_source
from cuello.data.crops import tiles_in
from cuello.data.images import Fingerprint, Images, load_images, pair, parse_size
from cuello.data.levels import exact, parse_levels
from cuello.data.split import Split, default_shares, split
from cuello.data.stream import is_to_stream
from cuello.scoring.losses import find_loss

MOST_VALIDATION_CROPS = 500


@dataclass(frozen=True)
class Prepared:
    """The data of a training: all images, which are for what, and their batches (test may be empty).

    Where classes are learned, ``images.label_names`` are theirs, and batches bring labels. Where occlusion maps are,
    they are the images' targets, and labels what a network is told.
    """

    images: Images
    split: Split
    training: Batches
    validation: Batches
    test: Batches | None
    fingerprint: str


def with_range(config: TrainConfig) -> TrainConfig:
    """Settle the range that is to be found: "auto" is from the lowest to the highest value of all images."""
    asked = (config.range or "").strip().lower()
    if asked not in ("auto", "full"):
        return config
    levels = None if asked == "full" else measured_levels([one for one in (config.data, config.target) if one])
    found = None if levels is None else f"{exact(levels.black)}..{exact(levels.white)}"
    return make_config({**config.model_dump(exclude_unset=True), "range": found})


def read_images(config: TrainConfig, progress: OnProgress = silent) -> Images:
    """Read the images (and the clean counterparts, for data in pairs) that a configuration names."""
    size, levels = parse_size(config.resize), parse_levels(config.range)
    if size is not None and config.target is not None and config.scale is not None:
        raise CuelloError(
            f"got --resize={config.resize} for pairs of two sizes, which would become one. Leave it out and use --crop."
        )
    sources = [open_source(data, levels) for data in (config.data, config.target) if data is not None]
    stream = is_to_stream(config.storage, sources, config.channels)
    images = load_images(
        sources[0], config.channels, size=size, on_error=config.on_error, progress=progress, stream=stream
    )
    if config.target is None:
        return images
    targets = load_images(
        sources[1], images.channels, size=size, on_error=config.on_error, progress=progress, stream=stream
    )
    return pair(images, targets, scale=config.scale or 1, on_error=config.on_error, progress=progress)


def open_images(config: TrainConfig, progress: OnProgress = silent) -> Images:
    """Read the images of a training; CuelloError for a test set that nothing may be trained on."""
    if config.data in CATALOG and CATALOG[config.data].test_only:
        raise CuelloError(
            f"{config.data!r} is a published test set: nothing is trained, tuned or stopped on it. "
            "Train on other images and give it to `cuello evaluate`."
        )
    return read_images(config, progress)


def prepare(config: TrainConfig, progress: OnProgress = silent) -> Prepared:
    """Read, divide and cut the images of a configuration, for a job whose target is an image.

    Raises CuelloError for a test set that nothing may be trained on, too few images, sizes that do not fit.
    """
    images = open_images(config, progress)
    known = images.fingerprint or fingerprint_of(images)
    return cut(images, parts_of(images, config), config, known=known)


def cut(images: Images, parts: Split, config: TrainConfig, known: str, labelled: bool = False) -> Prepared:
    """Cut divided images into batches; CuelloError where they are too small for the loss.

    known: the fingerprint of the images, and of what is to be learned of them. labelled: batches bring labels.
    """
    images = replace(images, notes=[*images.notes, *known_before(images, parts)])
    training, validation, test = batches_of(images, parts, config, labelled=labelled)
    smallest = find_loss(config.loss).smallest_side
    if min(training.size) // (config.scale or 1) * (config.scale or 1) < smallest:
        raise CuelloError(
            f"the loss {config.loss!r} needs images of at least {smallest}×{smallest} pixels, got "
            f"{training.size[1]}×{training.size[0]}. Choose another --loss or a larger --crop."
        )
    return Prepared(images, parts, training=training, validation=validation, test=test, fingerprint=known)


def known_before(images: Images, parts: Split) -> list[str]:
    """Say which images for validation or testing are also among those for training, by pixels; of those in memory."""
    if images.streamed:
        return []

    def checksum(place: int) -> str:
        return fingerprint([""], [images.arrays[place]])

    trained = {checksum(place): place for place in parts.train.tolist()}
    notes = []
    for purpose, part in (("validation", parts.validation), ("testing", parts.test)):
        others = np.setdiff1d(part, parts.train).tolist()
        twins = [(place, trained[found]) for place in others if (found := checksum(place)) in trained]
        if twins:
            shown = first_few(f"{images.names[place]} is {images.names[twin]}" for place, twin in twins)
            notes.append(
                f"{len(twins)} of {len(part)} images for {purpose} are also among those for training, pixel for pixel, "
                f"so that scores flatter: {shown}"
            )
    return notes


def batches_of(
    images: Images, parts: Split, config: TrainConfig, labelled: bool = False
) -> tuple[Batches, Batches, Batches | None]:
    """Return the batches for training, for validation and, where any image is kept for it, for testing.

    Test crops are places with detail, unless the places of crops are asked for, or their classes are to be found.
    """
    kept = "grid" if config.crops == "grid" else "fixed"
    tested = "detailed" if config.crops == "random" and not labelled else kept

    def fixed(ids: np.ndarray, layout: str) -> Batches:
        count = config.validation_samples
        if count is None and config.crop is not None:
            count = min(MOST_VALIDATION_CROPS, max(1, tiles_in(images, ids, config.crop // images.scale)))
        return Batches(
            images,
            ids,
            batch_size=64,
            crop=config.crop,
            layout=layout,
            count=count,
            seed=config.split_seed,
            labelled=labelled,
        )

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
        labelled=labelled,
    )
    return training, fixed(parts.validation, kept), fixed(parts.test, tested) if len(parts.test) else None


def reseeded(prepared: Prepared, seed: int) -> Prepared:
    """Return the data for the same settings but another seed; ValueError where the places of crops depend on it."""
    return replace(prepared, training=prepared.training.with_seed(seed))


def parts_of(images: Images, config: TrainConfig) -> Split:
    """Divide the images; a set that is all there is, or is to be learned by heart, validates on what it trains on."""
    closed = config.data in CATALOG and CATALOG[config.data].closed
    fold = fold_of(images, config, closed=closed)
    usual = default_shares(len(images))
    share, tested = (
        0.0 if closed else default if stated is None else stated
        for stated, default in zip((config.validation, config.test), usual, strict=True)
    )
    parts = split(
        len(images),
        share,
        tested,
        seed=config.split_seed,
        held_out=images.held_out,
        validated=images.validated,
        fold=fold,
    )
    return parts if share or images.validated is not None else parts._replace(validation=parts.train)


def fold_of(images: Images, config: TrainConfig, closed: bool) -> tuple[int, int] | None:
    """Return which of how many parts is tested; CuelloError where the images are divided in another way."""
    if config.fold is None:
        return None
    why = ""
    if closed:
        why = f"{images.name} is trained on and tested whole. Leave it out."
    elif images.held_out is not None:
        why = f"{images.name} keeps images of its own for testing. Name its training images alone, or leave it out."
    elif config.test is not None:
        why = f"--test={config.test:g} is a share to be tested. Leave one of them out."
    if why:
        raise CuelloError(f"got --fold={config.fold} (--folds makes every one), but {why}")
    part, parts = config.fold.split("/")
    return int(part), int(parts)


def labels_checksum(images: Images) -> str:
    """Return a checksum of the labels and their names."""
    state = hashlib.blake2b("\0".join(images.label_names or ()).encode(), digest_size=8)
    state.update(np.ascontiguousarray(images.labels).data)
    return state.hexdigest()


def fingerprint_of(images: Images) -> str:
    """Return the checksum of all images and, for pairs, of their targets; streamed ones are decoded for it."""
    clean = images.targets if images.targets is not None else ()
    return fingerprint([*images.names, *images.names[: len(clean)]], chain(images.arrays, clean))


def fingerprint(names: Sequence[str], arrays: Iterable[np.ndarray]) -> str:
    """Return a checksum of images: of their names, shapes, types and pixels."""
    state = Fingerprint()
    for name, array in zip(names, arrays, strict=True):
        state.add(name, array)
    return str(state)
