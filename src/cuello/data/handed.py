"""Images that a caller hands in from Python: what a run calls them, and how they are opened.

A run's settings are text, so images in memory go by a name that holds a checksum of their pixels. It stands for them
while the call lasts that they were handed in to; at any other time whoever asks for them is told what is needed.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from cuello.core.errors import CuelloError, Fault, first_few
from cuello.core.own import text_of
from cuello.core.progress import OnProgress, hearing, listener
from cuello.core.spoken import spoken
from cuello.data.arrays import ImageSource, check_labels, numbered
from cuello.data.images import Fingerprint
from cuello.data.items import (
    TableItems,
    array_pictures,
    as_array,
    check_kind,
    class_names,
    classes_of,
    columns_note,
    columns_of,
    is_table,
    item_pictures,
    kind_of,
    numbered_labels,
)  # fmt: skip
from cuello.data.levels import AnyRange, UnfitError
from cuello.data.remote.address import is_url
from cuello.data.remote.fetch import fetched
from cuello.data.sources import unknown_type, with_pages
from cuello.data.stored import StoredImage, fitted

PREFIX = "python:"

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Handed:
    """Images in memory, or the paths of some.

    kind, count, checksum: what they are, how many, and of their pixels. open: gives them within a range.
    """

    kind: str
    count: int
    checksum: str
    open: Callable[[AnyRange | None], ImageSource]

    @property
    def name(self) -> str:
        """What a run calls them."""
        return f"{PREFIX}{self.kind}[{self.count}]#{self.checksum}"


HANDED: ContextVar[tuple[Handed, ...]] = ContextVar("HANDED", default=())


@dataclass(frozen=True, kw_only=True)
class MemorySource(ImageSource):
    """Images in memory, of any sizes; ``pictures`` gives each as it was handed in. levels: as in FileSource."""

    pictures: Callable[[int], StoredImage]
    levels: AnyRange | None = None

    @property
    def in_memory(self) -> bool:
        return True

    def read(self, index: int) -> StoredImage:
        picture = self.pictures(index)
        dtype = picture.pixels.dtype
        if self.levels is None and dtype.kind not in "bf" and dtype not in (np.uint8, np.uint16):
            raise unknown_type(self.name, dtype)
        try:
            return fitted(picture, self.levels)
        except UnfitError as error:
            raise CuelloError(f"{self.name}, image {self.names[index]}: {error}.") from None


def from_python(*places: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take images from Python in these parameters, in which it then gets their name.

    Its parameter ``labels`` belongs to the first of these that holds such images, and reaches the function as None.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters.values()
        names = [one.name for one in parameters if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(zip(names, args, strict=False)) | kwargs
            asked = [place for place in places if is_asked(given.get(place))]
            if asked and len(args) <= len(names):  # what gives images when it is called: one's own, as FILE.py:NAME is
                return partial(call, **(given | {place: text_of("data", given[place]) for place in asked}))()
            found = [place for place in places if not isinstance(given.get(place), str | Path | None)]
            labels = given.get("labels")
            if (not found and labels is None) or len(args) > len(names):
                return function(*args, **kwargs)
            if not found:
                raise CuelloError(
                    "got labels without images from Python: those of files come from their folders, or from the file. "
                    "Hand in the images too, or leave out labels."
                )
            handed = {}
            for place in found:
                own = labels if place == found[0] else None
                handed[place] = hand_in(given[place], own, progress=listener(given.get("progress")))
            named = {place: one.name for place, one in handed.items()} | ({} if labels is None else {"labels": None})
            with lasting(handed.values()):
                return partial(function, **(given | named))()

        return call

    return decorate


def is_asked(value: Any) -> bool:
    """Tell whether something gives images only when it is called."""
    return inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, partial)


@contextmanager
def lasting(handed: Iterable[Handed]) -> Iterator[tuple[Handed, ...]]:
    """Let images go by their names for the time of the block."""
    lent = tuple(handed)
    before = HANDED.set((*HANDED.get(), *lent))
    try:
        yield lent
    finally:
        HANDED.reset(before)


def is_handed(data: str) -> bool:
    """Tell whether a text is the name of images that were handed in from Python."""
    return data.startswith(PREFIX)


def handed_source(data: str, levels: AnyRange | None = None) -> ImageSource:
    """Open images by the name of ``Handed``; a Fault that says what is needed where they were not handed in now."""
    for one in HANDED.get():
        if one.checksum == data.rpartition("#")[2]:
            return one.open(levels)
    others = ", ".join(one.name for one in HANDED.get())
    if others:
        raise Fault(
            f"needed the images {data}, got {others}: the checksum of their pixels, in order, differs. "
            "Hand in the same images again."
        )
    raise Fault(
        f"the images {data} were handed in from Python, and no file holds them. Hand in the same ones again, from "
        "Python, e.g. cuello.resume(run, data=images) or cuello.evaluate(run, data=images), or name other images."
    )


def hand_in(data: Any, labels: Any = None, progress: OnProgress | None = None) -> Handed:
    """Take images from Python: see ``items.KINDS``; paths may be URLs.

    labels: one whole number or one name each; by default the data set's own. Raises CuelloError for anything else.
    """
    check_kind(data)
    kind, count = kind_of(data), len(data)
    name = f"{kind}[{count}]"
    if count == 0:
        raise CuelloError(f"{name} holds no image.")
    if is_table(data):
        columns = columns_of(data, name)
        data, notes, classes = TableItems(data, *columns), columns_note(data, columns), class_names(data, columns[1])
    else:
        notes, classes = [], classes_of(data)
    if isinstance(data, Sequence) and all(isinstance(one, str | Path) for one in data):
        with hearing(listener(progress)):
            paths = [fetched(one) if is_url(one) else Path(one).expanduser() for one in data]
        return handed_files(paths, labels, kind=kind, name=name)
    array = as_array(data, name)
    if array is not None:
        pictures, own = array_pictures(array, name), None
    else:
        pictures, own = item_pictures(data, name, listener(progress))
    checksum = Fingerprint()
    for index in range(count):
        checksum.add("", pictures(index).with_alpha)
    numbers, classes = numbered_labels(own if labels is None else labels, None if labels is not None else classes, name)
    check_labels(numbers, count, name)
    source = MemorySource(
        name, numbered(count), labels=numbers, label_names=classes, notes=notes, pictures=pictures
    )  # fmt: skip
    return Handed(kind, count, str(checksum)[:16], open=lambda levels: replace(source, levels=levels))


def handed_files(paths: Sequence[Path], labels: Any, kind: str, name: str) -> Handed:
    """Take the paths of image files; the checksum is of what they hold."""
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise CuelloError(f"{name}: {len(missing)} of the paths are not files: {first_few(missing)}.")
    state = hashlib.blake2b(digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            state.update(hashlib.file_digest(file, "blake2b").digest())
    short = [path.name for path in paths]
    names = short if len(set(short)) == len(short) else [spoken(path.as_posix()) for path in paths]
    numbers, classes = numbered_labels(labels, None, name)
    check_labels(numbers, len(paths), name)

    def open(levels: AnyRange | None) -> ImageSource:
        source = with_pages(name, paths, names, levels=levels)
        if numbers is not None and len(source.names) != len(paths):
            raise CuelloError(f"{name}: some files hold several images, so that labels cannot be matched to files.")
        return replace(source, labels=numbers, label_names=classes)

    return Handed(kind, len(paths), state.hexdigest(), open=open)
