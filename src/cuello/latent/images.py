"""The images whose codes are looked at: a run's own test images, or named ones, with names and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import make_config
from cuello.core.errors import CuelloError, closest, first_few
from cuello.core.progress import OnProgress, silent
from cuello.core.spread import spread_evenly
from cuello.data.arrays import named_labels
from cuello.data.batches import Batches, to_tensor
from cuello.data.catalog import open_source
from cuello.data.images import load_images, parse_size
from cuello.data.levels import parse_levels
from cuello.inference.model import Model
from cuello.jobs.data import prepare
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run
from cuello.runs.settings import trained_config

MOST = 2000
"""Images at most; of more, so many are taken, spread evenly."""


@dataclass(frozen=True)
class Known:
    """Images of one size and what is known of each.

    x: ``(N, C, H, W)`` float32 in [0, 1]. names: one each. labels: ``(N,)`` int64, positions in ``classes``, or None.
    classes: names of the labels. what: which images these are, as a phrase. total: how many there were to take from.
    skipped: why others could not be read, one sentence each.
    """

    x: Tensor
    names: list[str]
    labels: np.ndarray | None
    classes: list[str]
    what: str
    total: int
    skipped: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def images(self) -> np.ndarray:
        """The images as ``(N, H, W, C)``."""
        return self.x.permute(0, 2, 3, 1).numpy()

    @property
    def binary(self) -> bool:
        """Whether every value is black or white."""
        return bool(((self.x == 0) | (self.x == 1)).all())

    def label(self, position: int) -> str:
        """Name an image's label, or "" where there is none."""
        return self.classes[int(self.labels[position])] if self.labels is not None else ""


def own_images(path: Path, most: int = MOST, keep: Sequence[str] = (), progress: OnProgress = silent) -> Known:
    """Read a run's own test images, or, where it kept none, those of its validation.

    most: how many at most. keep: names that must be among them, where there are such. Raises CuelloError where the
    run's images are not those it was trained on.
    """
    run = Run(path)
    config = trained_config(run)
    prepared = prepare(config, progress)
    if run.checkpoint_path.is_file() and read_reached(run.checkpoint_path).fingerprint != prepared.fingerprint:
        raise CuelloError(
            f"the images of {path} are not those it was trained on, so that its test images cannot be told. "
            "Bring them back, or name the images: cuello latent RUN IMAGES."
        )
    part: Batches = prepared.test or prepared.validation
    known_in_training = prepared.test is None and np.isin(prepared.split.validation, prepared.split.train).any()
    which = "test" if prepared.test else "training" if known_in_training else "validation"
    described = [part.describe(row) for row in range(part.count)]
    whole = part.size in prepared.images.shapes()
    names = [str(name) if whole else f"{name} at {left},{top}" for name, top, left in described]
    rows = choose(names, most, keep)
    x = torch.empty(len(rows), prepared.images.channels, *part.size)
    found = np.zeros(len(rows), bool)
    for batch in part.epoch(0):
        here = np.isin(batch.ids.numpy(), rows)
        places = np.searchsorted(rows, batch.ids.numpy()[here])
        x[places] = batch.images[torch.from_numpy(here)]
        found[places] = True
    rows = rows[found]
    every = prepared.images.labels
    labels = every[part.crops.places[rows, 0]] if every is not None else None
    source = open_source(config.data, parse_levels(config.range)) if labels is not None else None
    numbers, classes = named_labels(labels, source.label_names if source is not None else None)
    what = f"{which} {'images' if whole else 'crops'} of {config.data}"
    names = [names[row] for row in rows]
    return Known(
        x[torch.from_numpy(found)], names, numbers, classes=classes, what=what, total=part.count,
        skipped=prepared.images.skipped,
    )  # fmt: skip


def named_images(
    model: Model, images: str, most: int = MOST, keep: Sequence[str] = (), progress: OnProgress = silent
) -> Known:
    """Read images of a folder, a file or a data set, brought to the size the run's own were resized to, if they were.

    most, keep: as for ``own_images``. Raises CuelloError where they have several sizes, or one that the network does
    not take.
    """
    source = open_source(images, model.levels)
    size = parse_size(make_config(model.artefact.training).resize)
    loaded = load_images(source, model.channels, size, on_error="skip", progress=progress)
    check_sizes(model, loaded.shapes(), images)
    rows = choose(loaded.names, most, keep)
    x = to_tensor(np.stack([loaded.arrays[row] for row in rows])).contiguous()
    labels = loaded.labels[rows] if loaded.labels is not None else None
    numbers, classes = named_labels(labels, source.label_names)
    names = [str(loaded.names[row]) for row in rows]
    what = f"images of {images}"
    return Known(x, names, numbers, classes=classes, what=what, total=len(loaded), skipped=loaded.skipped)


def check_sizes(model: Model, sizes: set[tuple[int, int]], images: str) -> None:
    """Raise CuelloError unless all images have one size, and the one that the network takes."""
    shown = first_few(f"{width}×{height}" for height, width in sorted(sizes))
    if model.size is not None and sizes != {model.size}:
        height, width = model.size
        raise CuelloError(
            f"the images of {images} are {shown} pixels; this network takes {width}×{height} alone. Resize them first, "
            "or leave IMAGES out to look at the run's own."
        )
    if len(sizes) > 1:
        raise CuelloError(f"the images of {images} have {len(sizes)} sizes ({shown}), needed one. Resize them first.")


def choose(names: Sequence[str], most: int, keep: Sequence[str]) -> np.ndarray:
    """Choose positions of at most ``most`` images, spread evenly, and of those that are to be kept; sorted.

    >>> choose(["a", "b", "c", "d", "e"], 2, ["b", "z"]).tolist()
    [0, 1, 4]
    """
    kept = [position for position, name in enumerate(names) if name in keep]
    return np.union1d(spread_evenly(len(names), most), np.array(kept, np.int64))


def find_image(known: Known, name: str, codes: np.ndarray) -> int:
    """Find the image called ``name``; a label's name stands for its most typical image.

    Raises CuelloError where there is neither.
    """
    if name in known.names:
        return known.names.index(name)
    if name in known.classes:
        return typical(codes, known.labels == known.classes.index(name))
    every = [*known.names, *known.classes]
    labels = f" Labels: {', '.join(known.classes[:12])}." if known.classes else ""
    raise CuelloError(
        f"there is no image (or label) called {name!r} among the {known.what}.{closest(name, every)} The first are "
        f"called {', '.join(known.names[:3])}.{labels}"
    )


def typical(codes: np.ndarray, chosen: np.ndarray) -> int:
    """Find the code nearest to the mean of the chosen ones; chosen: ``(N,)`` bool, one at least."""
    positions = np.flatnonzero(chosen)
    rows = codes[positions].reshape(len(positions), -1).astype(np.float64)
    return int(positions[((rows - rows.mean(0)) ** 2).sum(1).argmin()])
