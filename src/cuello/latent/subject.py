"""What every picture of a code starts from, and what each gives."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent.images import Known, typical
from cuello.latent.maps import Method, check_method
from cuello.latent.paths import PathKind
from cuello.report.figures import Theme, shorten

PAIRS = 5
"""Pairs of labels that are shown, at most."""


@dataclass(frozen=True)
class Wanted:
    """What the user asked for; see ``cuello latent --help``. thumbnails: None lets the number of images decide."""

    method: Method | None = None
    thumbnails: bool | None = None
    steps: int = 9
    samples: int = 64
    start: str | None = None
    end: str | None = None
    path: PathKind = "straight"
    seed: int = 0


@dataclass(frozen=True)
class Part:
    """One finding: the name of its picture, a title, what to know of it, how to draw it, and its arrays."""

    name: str
    title: str
    text: str
    draw: Callable[[Theme], bytes]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """What every part starts from: the model, known images, their codes, what was asked for."""

    model: Model
    known: Known
    codes: np.ndarray
    wanted: Wanted

    @property
    def numbers(self) -> int:
        """How many numbers a code has."""
        return int(self.codes[0].size)

    def called(self, position: int) -> str:
        """Return how a picture calls an image: by its label, or by its name."""
        return shorten(self.known.label(position) or self.own_names[position], 14)

    @cached_property
    def own_names(self) -> list[str]:
        """The images' names without what all of them begin and end with."""
        return without_common(self.known.names)


def without_common(names: list[str]) -> list[str]:
    """Return names without what all begin and end with; words and numbers stay whole.

    >>> without_common(["scan_001.png", "scan_002.png"]), without_common(["road 1 a", "river 2 a"])
    (['001', '002'], ['road 1', 'river 2'])
    """
    start = re.sub(r"\w*$", "", beginning(names).replace("_", " "))
    end = re.sub(r"^\w*", "", beginning([name[::-1] for name in names])[::-1].replace("_", " "))
    cut = [name[len(start) : len(name) - len(end)] for name in names]
    return cut if all(cut) else names


def beginning(names: list[str]) -> str:
    """Return what all names begin with."""
    first, last = min(names), max(names)  # any two differ no earlier than these
    return first[: next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


class Missing(Exception):
    """A part that makes no sense for this model or these images; the message says why."""


def check_wanted(wanted: Wanted) -> None:
    """Raise CuelloError for what can never be: before the work."""
    if (wanted.start is None) != (wanted.end is None):
        raise CuelloError("an interpolation needs both its ends: give --from and --to, or neither.")
    for name, value, least in (("steps", wanted.steps, 2), ("samples", wanted.samples, 1)):
        if value < least:
            raise CuelloError(f"{name}: got {value}, needed {least} or more.")
    if wanted.method is not None:
        check_method(wanted.method)


def check_labels(wanted: Wanted, known: Known) -> None:
    """Raise CuelloError where labels are to be drawn and there are none."""
    if wanted.thumbnails is False and known.labels is None:
        raise CuelloError(
            f"the {known.what} have no labels to draw. Give images that have some (a folder with a subfolder a label, "
            "an .npz with 'labels'), or leave out --labels: the map then shows the images."
        )


def label_pairs(count: int, most: int = PAIRS) -> list[tuple[int, int]]:
    """Return pairs of different numbers below ``count``, of neighbours, spread evenly, each number at most once.

    >>> label_pairs(10), label_pairs(3), label_pairs(100, 2)
    ([(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], [(0, 1)], [(0, 1), (98, 99)])
    """
    every = [(a, a + 1) for a in range(0, count - 1, 2)]
    kept = np.unique(np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int))
    return [every[k] for k in kept]


def typical_of(subject: Subject, label: int) -> int:
    """Return the position of a label's most typical image."""
    return typical(subject.codes, subject.known.labels == label)
