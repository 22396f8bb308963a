"""What every picture of a code starts from, and what each gives."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix

import numpy as np

from cuello.core.errors import CuelloError, Message
from cuello.core.settings import LatentSettings
from cuello.core.spread import spread_evenly
from cuello.inference.model import Model
from cuello.latent.images import Known, typical
from cuello.latent.maps import Method, Projection, check_method, project
from cuello.latent.sheets import Sheet, draw_sheets
from cuello.report.figures import Theme, shorten

METHODS: dict[Method, str] = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}
PAIRS = 5
"""Pairs of labels that are shown, at most."""


@dataclass(frozen=True)
class CodePart:
    """One section of the page: the name of its picture, its title, what to know of it, how to draw it, its arrays."""

    name: str
    title: str
    text: str
    draw: Callable[[Theme], bytes]
    arrays: Mapping[str, np.ndarray]


def sheet_part(
    name: str, title: str, text: str, *, sheets: Sequence[Sheet], arrays: Mapping[str, np.ndarray]
) -> CodePart:
    return CodePart(name, title, text, draw=lambda theme: draw_sheets(sheets, theme), arrays=arrays)


@dataclass(frozen=True)
class LatentView:
    """What every part starts from: known images and their codes."""

    model: Model
    known: Known
    codes: np.ndarray
    settings: LatentSettings

    @property
    def numbers(self) -> int:
        """How many numbers a code has."""
        return int(self.codes[0].size)

    @property
    def rows(self) -> np.ndarray:
        """The codes as rows of numbers, float64."""
        return self.codes.reshape(len(self.codes), -1).astype(np.float64)

    @cached_property
    def projection(self) -> Projection | None:
        """The codes on the plane of the map; None where they have one number, or are too few to be brought to two."""
        plane = self.numbers == 2 and self.settings.method is None
        if self.numbers == 1 or (len(self.codes) < 3 and not plane):
            return None
        return Projection(self.rows, None) if plane else project(self.codes, self.settings.method, self.settings.seed)

    @property
    def mapped(self) -> str:
        """Say what the places on the map are, and how much of the codes they show."""
        found = self.projection
        if found is None or found.method is None:
            return f"the code's {'one number' if self.numbers == 1 else 'two numbers'}"
        if found.share is None:
            return f"{METHODS[found.method]} of the code's {self.numbers:,} numbers"
        most = "first two " if self.numbers > 2 else ""
        return f"{most}principal components of the code's {self.numbers:,} numbers, {found.share:.0%} of their variance"

    def called(self, position: int) -> str:
        """Name an image as a picture does: by its label, or by its own name."""
        return shorten(self.known.label(position) or self.own_names[position], 14)

    @cached_property
    def own_names(self) -> list[str]:
        return without_common(self.known.names)

    def typical(self, label: int) -> int:
        """Find the most typical image of a label."""
        return typical(self.codes, self.known.labels == label)


def without_common(names: list[str]) -> list[str]:
    """Leave out of names what all begin and end with; words and numbers stay whole.

    >>> without_common(["scan_001.png", "scan_002.png"]), without_common(["road 1 a", "river 2 a"])
    (['001', '002'], ['road 1', 'river 2'])
    """
    first = commonprefix(names)  # noqa: RUF071 (letters, not folders)
    last = commonprefix([name[::-1] for name in names])[::-1]  # noqa: RUF071
    start, end = re.sub(r"\w*$", "", first.replace("_", " ")), re.sub(r"^\w*", "", last.replace("_", " "))
    cut = [name[len(start) : len(name) - len(end)] for name in names]
    return cut if all(cut) else names


class NotApplicable(Message):
    """A part that makes no sense for this model or these images; the message says why."""


def check_settings(settings: LatentSettings) -> None:
    """Raise CuelloError for what can never be: before the work."""
    if (settings.start is None) != (settings.end is None):
        raise CuelloError("an interpolation needs both its ends: give --start and --end, or neither.")
    for name, value, least in (("steps", settings.steps, 2), ("samples", settings.samples, 1)):
        if value < least:
            raise CuelloError(f"{name}: got {value}, needed {least} or more.")
    if settings.method is not None:
        check_method(settings.method)


def check_labels(settings: LatentSettings, known: Known) -> None:
    """Raise CuelloError where labels are to be drawn and there are none."""
    if settings.thumbnails is False and known.labels is None:
        raise CuelloError(
            f"the {known.what} have no labels to draw. Give images that have some (a folder with a subfolder a label, "
            "an .npz with 'labels'), or leave out --thumbnails=False: the map then shows the images."
        )


def label_pairs(count: int, most: int = PAIRS) -> list[tuple[int, int]]:
    """Pair different numbers below ``count``, of neighbours, spread evenly, each number at most once.

    >>> label_pairs(10), label_pairs(3), label_pairs(100, 2)
    ([(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)], [(0, 1)], [(0, 1), (98, 99)])
    """
    return [(2 * k, 2 * k + 1) for k in spread_evenly(count // 2, most).tolist()]
