"""Images that stay in their files: each is decoded when it is used, and dropped after."""

import filecmp
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cuello.core.errors import CuelloError, Fault
from cuello.core.memory import free_memory
from cuello.core.spread import spread_evenly
from cuello.data.ahead import ReadAhead
from cuello.data.form import Form, PictureFacts, facts_of, form_of
from cuello.data.picture import StoredImage
from cuello.data.sources import ImageSource

SAMPLE = 32
"""Images that are decoded to estimate what all of them would take."""

MOST_LOST = 0.1
"""The share of images, at least one, without which a training goes on where such are to be skipped."""

Stamp = tuple[int, int]


class LostError(Fault):
    """An image that was there when the training began has changed, vanished or become unreadable."""


@dataclass(frozen=True)
class StreamedArrays(Sequence[np.ndarray]):
    """A sequence of ``(H, W, C)`` arrays of one form, each decoded anew whenever it is asked for.

    positions: where each lies in the source. sizes: ``(N, 2)``, height and width of each in pixels. stamps: size in
    bytes and time of the last change (ns) of each one's file when it was first read, None for what is in no file.
    on_error: "skip" lets users of the images go on without those that are lost, which ``lost`` then names.
    """

    source: ImageSource
    positions: Sequence[int]
    form: Form
    sizes: np.ndarray
    stamps: Sequence[Stamp | None]
    on_error: str = "stop"
    lost: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        """Decode image ``index``; LostError, naming it, where it is not what it was."""
        position = self.positions[index]
        name = place_of(self.source, position)
        try:
            stamp = stamp_of(self.source, position)
            if stamp != self.stamps[index]:
                raise CuelloError(f"{name} is not the file it was before.")
            pixels = self.form.arranged(self.source.read(position))
        except FileNotFoundError:
            raise LostError(self.sentence(name, "it is no longer there")) from None
        except MemoryError:
            raise
        except Exception as error:
            raise LostError(self.sentence(name, str(error).rstrip("."))) from None
        if pixels.shape[:2] != tuple(self.sizes[index]):
            raise LostError(self.sentence(name, "its size is different"))
        return pixels

    @staticmethod
    def sentence(name: str, why: str) -> str:
        return (
            f"{name} changed during the training ({why}). The run is kept: once the file is back as it was, go on "
            "with `cuello resume RUN`."
        )

    def lose(self, index: int, error: LostError) -> None:
        """Go on without an image: a warning, once; or raise the error where errors stop the work, or many are lost."""
        if self.on_error == "stop":
            raise error
        if index not in self.lost:
            if len(self.lost) >= max(1, len(self) * MOST_LOST):
                many = f"{len(self.lost) + 1} of {len(self)} images"
                raise LostError(f"{error} It is not alone: {many} are lost, too many to go on without.")
            self.lost[index] = str(error).partition(" The run is kept")[0]
            warnings.warn(f"{self.lost[index]} It is left out.", stacklevel=2)

    def present(self) -> Iterator[np.ndarray]:
        """Yield the images one after another, without those that are lost."""
        for index in range(len(self)):
            try:
                pixels = self[index]
            except LostError as error:
                self.lose(index, error)
                continue
            yield pixels

    def same_file(self, index: int, others: "StreamedArrays") -> bool:
        """Tell whether image ``index`` and the other one at that place are the same, in files of the same bytes."""
        one, other = (each.source.path_of(each.positions[index]) for each in (self, others))
        if one is None or other is None:
            return False
        try:  # files of the same bytes may hold several images, or sets of them
            alike = one == other or filecmp.cmp(one, other, shallow=False)
            return alike and np.array_equal(self[index], others[index])
        except (OSError, LostError):
            return False

    def picked(self, order: Sequence[int]) -> "StreamedArrays":
        return replace(
            self,
            positions=[self.positions[index] for index in order],
            sizes=self.sizes[np.asarray(order, dtype=np.int64)],
            stamps=[self.stamps[index] for index in order],
            lost={},
        )

    def at_depth(self, dtype: np.dtype) -> "StreamedArrays":
        return replace(self, form=replace(self.form, dtype=dtype))


def place_of(source: ImageSource, position: int) -> str:
    """Name an image for a message: by its path where it has a file of its own, else by source and name."""
    name = source.names[position]
    path = source.path_of(position)
    return str(path) if path is not None and "#" not in name and str(path) != source.name else f"{source.name}: {name}"


def stamp_of(source: ImageSource, position: int) -> Stamp | None:
    """Give size (bytes) and time of the last change (ns) of an image's file; None for what is in memory."""
    path = source.path_of(position)
    about = path.stat() if path is not None else None
    return (about.st_size, about.st_mtime_ns) if about is not None else None


@dataclass(frozen=True)
class Seen:
    """What a pass over a source saw of one image: itself, or, where a form was guessed, its pixels in that form."""

    facts: PictureFacts
    stamp: Stamp | None
    picture: StoredImage | None = None
    pixels: np.ndarray | None = None


def looking(source: ImageSource, guess: Form | None) -> Callable[[int], Seen | CuelloError]:
    """Give what the first pass does with an image, perhaps in a background thread: read, check, arrange."""

    def look(index: int) -> Seen | CuelloError:
        try:
            stamp = stamp_of(source, index)
        except OSError:
            stamp = None  # reading says what is wrong
        try:
            picture = source.read(index)
            if guess is None:
                return Seen(facts_of(picture), stamp, picture=picture)
            return Seen(facts_of(picture), stamp, pixels=guess.arranged(picture))
        except CuelloError as error:
            return error
        except Exception as error:  # whatever one image raises, the others go on
            return CuelloError(f"{place_of(source, index)} could not be read ({type(error).__name__}: {error}).")

    return look


def in_order(read: Callable[[int], Seen | CuelloError], count: int) -> Iterator[Seen | CuelloError]:
    """Yield ``read`` of every index in order, at most a few ahead."""
    with ReadAhead(read, [1] * count, limit=4) as reader:
        for index in range(count):
            yield reader.take()
            reader.release(index)


def glance(source: ImageSource) -> list[PictureFacts]:
    """Learn what a few images are, spread evenly over all; those that cannot be read are passed over."""
    count = len(source.names)
    found = []
    for index in spread_evenly(count, SAMPLE).tolist():
        try:
            found.append(facts_of(source.read(index)))
        except Exception:  # reading it in its turn says what is wrong
            continue
    return found


def decoded_bytes(source: ImageSource, channels: int | None = None) -> int:
    """Estimate what the images would take in memory, from a few of them."""
    facts = glance(source)
    if not facts:
        return 0
    form, _ = form_of(facts, channels)
    pixels = sum(fact.height * fact.width for fact in facts)
    return pixels * form.channels * form.dtype.itemsize * len(source.names) // len(facts)


def is_to_stream(storage: str, sources: Sequence[ImageSource], channels: int | None = None) -> bool:
    """Tell whether images are to stay in their files: asked for, or too many for half of the free memory."""
    if storage != "auto":
        return storage == "stream"
    waiting = [source for source in sources if not source.in_memory]
    return bool(waiting) and sum(decoded_bytes(source, channels) for source in waiting) > free_memory() // 2
