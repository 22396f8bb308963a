"""Which images are explained: of a data set so many, those that the classifier was not trained on first."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from cuello.core.config import make_config
from cuello.core.errors import CuelloError, worded
from cuello.data.arrays import ImageSource
from cuello.data.catalog import CATALOG
from cuello.data.images import Images
from cuello.data.sources import with_four_channels
from cuello.data.stored import StoredImage
from cuello.inference.model import Model
from cuello.jobs.data import parts_of

OF_A_DATA_SET = 32
"""Images of a data set of the catalogue that are explained where no other number is asked for."""


@dataclass(frozen=True, kw_only=True)
class ChosenSource(ImageSource):
    """Some images of a source, in an order of their own. order: their positions there."""

    source: ImageSource
    order: Sequence[int]

    def read(self, index: int) -> StoredImage:
        return self.source.read(self.order[index])

    def path_of(self, index: int) -> Path | None:
        return self.source.path_of(self.order[index])


def chosen(source: ImageSource, data: str, *, limit: int | None = None, own: Model | None = None) -> ImageSource:
    """Take the images to explain, at most ``limit``, test images first; a note says so where some are left.

    data: what the user calls the source; of the catalogue's ``OF_A_DATA_SET`` are taken by default, of other images
    all, in their order. own: the classifier, where it knows what it was trained on.
    """
    if limit is not None and limit < 1:
        raise CuelloError(f"--limit: got {limit}, needed 1 or more.")
    if limit is None and data not in CATALOG:
        return source
    if own is not None and own.channels == 4:
        source = with_four_channels(source)
    order, first = tested_first(source, data, own)
    count, most = len(order), limit or OF_A_DATA_SET
    notes = list(source.notes)
    if most < count:
        notes.append(worded(f"{most:,} of the {count:,} images of {data} are explained, {first}; --limit={count} "
                            "explains all"))  # fmt: skip
    about = {one.name: getattr(source, one.name) for one in fields(ImageSource)}
    order = order[:most]
    about |= {"names": [source.names[place] for place in order], "notes": notes, "held_out": None, "validated": None}
    about |= {"labels": None if source.labels is None else source.labels[order]}
    return ChosenSource(**about, source=source, order=order.tolist())


def tested_first(source: ImageSource, data: str, own: Model | None) -> tuple[np.ndarray, str]:
    """Order all positions: images for testing, for validation, for training; and say in words what comes first.

    That is as the classifier's training divided them, or else the data set itself; where neither does, in their order.
    """
    count = len(source.names)
    training = own.artefact.training if own is not None else {}
    if training.get("data") == data and training.get("on_error") != "skip":  # with "skip" not every image was divided
        blank = Images(data, [np.empty((0, 0, 1))] * count, source.names,
                       held_out=source.held_out, validated=source.validated)  # fmt: skip
        parts = parts_of(blank, make_config(training))
        kept = [np.setdiff1d(part, parts.train) for part in (parts.test, parts.validation)]
    else:
        kept = [part for part in (source.held_out, source.validated) if part is not None]
    first = np.concatenate([*kept, []]).astype(np.int64)
    order = np.concatenate([first, np.setdiff1d(np.arange(count), first)])
    what = "test images" if kept and len(kept[0]) else "validation images" if len(first) else ""
    return order, f"its {what} first" if what else "the first"
