"""Which images are explained: of a data set so many, those that the classifier was not trained on first."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from cuello.core.config import make_config
from cuello.core.errors import CuelloError, worded
from cuello.data.arrays import ImageSource
from cuello.data.catalog import CATALOG
from cuello.data.images import Images, places_in
from cuello.data.sources import with_four_channels
from cuello.data.split import Split
from cuello.data.stored import StoredImage
from cuello.data.stream import Seen, looking
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

    Of what does not count whole some are taken of every class, or, where no labels are known, spread evenly.
    data: what the user calls the source; of the catalogue's ``OF_A_DATA_SET`` are taken by default, of other images
    all, in their order. own: the classifier, where it knows what it was trained on.
    """
    if limit is not None and limit < 1:
        raise CuelloError(f"--limit: got {limit}, needed 1 or more.")
    if limit is None and data not in CATALOG:
        return source
    if own is not None and own.channels == 4:
        source = with_four_channels(source)
    parts, first = tested_first(source, data, own)
    count, most, order = len(source.names), limit or OF_A_DATA_SET, np.empty(0, np.int64)
    for part in parts:
        order = np.concatenate([order, some_of(part, source.labels, most - len(order))])
    notes = list(source.notes)
    if most < count:
        spread = "spread evenly" if source.labels is None else "spread over the classes"
        notes.append(worded(f"{most:,} of the {count:,} images of {data} are explained, {first}{spread}; "
                            f"--limit={count} explains all"))  # fmt: skip
    about = {one.name: getattr(source, one.name) for one in fields(ImageSource)}
    about |= {
        "names": [source.names[place] for place in order.tolist()],
        "notes": notes,
        "held_out": None,
        "validated": None,
    }
    about |= {"labels": None if source.labels is None else source.labels[order]}
    return ChosenSource(**about, source=source, order=order.tolist())


def some_of(part: np.ndarray, labels: np.ndarray | None, most: int) -> np.ndarray:
    """Take at most so many of a part, in its order: of every class in turn, or, without labels, spread evenly.

    >>> some_of(np.arange(6), np.array([0, 0, 0, 1, 1, 2]), 4), some_of(np.arange(7), None, 3)
    (array([0, 1, 3, 5]), array([0, 3, 6]))
    """
    if most >= len(part):
        return part
    if labels is None:
        return part[np.linspace(0, len(part) - 1, most).round().astype(np.int64)]
    turns = np.empty(len(part), np.int64)
    for label in np.unique(labels[part]):
        turns[labels[part] == label] = np.arange((labels[part] == label).sum())
    return part[np.sort(np.argsort(turns, kind="stable")[:most])]


def tested_first(source: ImageSource, data: str, own: Model | None) -> tuple[list[np.ndarray], str]:
    """Divide all positions: images for testing, for validation, for training; and say in words what comes first.

    That is as the classifier's training divided them, or else the data set itself; where neither does, it is one part.
    """
    count = len(source.names)
    training = own.artefact.training if own is not None else {}
    if training.get("data") == data:
        divided = np.arange(count)
        if not source.in_memory and training.get("on_error") != "stop":  # what could not be read was not divided
            look = looking(source, None)
            divided = np.array([place for place in range(count) if isinstance(look(place), Seen)], np.int64)
        positions = divided.tolist()
        held_out, validated = (places_in(positions, part) for part in (source.held_out, source.validated))
        names = [source.names[place] for place in positions]
        blank = Images(data, [np.empty((0, 0, 1))] * len(names), names, held_out=held_out, validated=validated)
        parts = parts_of(blank, make_config(training)) if names else Split(divided, divided, divided)
        kept = [divided[np.setdiff1d(part, parts.train)] for part in (parts.test, parts.validation)]
    else:
        kept = [part for part in (source.held_out, source.validated) if part is not None]
    first = np.concatenate([*kept, []]).astype(np.int64)
    what = "test images" if kept and len(kept[0]) else "validation images" if len(first) else ""
    return [*kept, np.setdiff1d(np.arange(count), first)], f"{what} first, " if what else ""
