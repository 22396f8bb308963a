"""Images of one form: in memory, or left in their files and decoded when they are used."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.data.form import Facts, Form, facts_of, form_of, to_depth
from cuello.data.picture import Picture
from cuello.data.sources import ImageSource
from cuello.data.stream import Stamp, StreamedArrays, glance, in_order, looking

OnError = Literal["stop", "skip"]
ReportProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Images:
    """Images of one form.

    arrays: one ``(H, W, C)`` array an image, all of one type (uint8, uint16 or float32) and one C, in memory or
    streamed. names: one each. labels: one whole number each, or None; label_names: what the numbers stand for, where
    that is known. held_out: positions that the data set keeps for
    testing, or None. targets: the clean counterpart of each image where the data come in pairs, or None. scale: how
    many times larger the targets' sides are. skipped: why images were left out, one sentence each. notes: what else a
    user should know. fingerprint: their checksum, where reading them gave it already.
    """

    name: str
    arrays: Sequence[np.ndarray]
    names: Sequence[str]
    labels: np.ndarray | None = None
    held_out: np.ndarray | None = None
    targets: Sequence[np.ndarray] | None = None
    skipped: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)
    fingerprint: str | None = None
    scale: int = 1
    label_names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def streamed(self) -> bool:
        """Whether the images are left in their files."""
        return isinstance(self.arrays, StreamedArrays)

    @property
    def channels(self) -> int:
        return self.arrays.form.channels if isinstance(self.arrays, StreamedArrays) else self.arrays[0].shape[-1]

    @property
    def dtype(self) -> np.dtype:
        """The type of all pixels."""
        return self.arrays.form.dtype if isinstance(self.arrays, StreamedArrays) else self.arrays[0].dtype

    @cached_property
    def sizes(self) -> np.ndarray:
        """Height and width of every image in pixels, ``(N, 2)``; no pixel is read for it."""
        if isinstance(self.arrays, StreamedArrays):
            return self.arrays.sizes
        return np.array([array.shape[:2] for array in self.arrays], np.int64).reshape(-1, 2)

    @property
    def costs(self) -> np.ndarray:
        """Bytes of every image in memory, its target included, ``(N,)``."""
        planes = self.channels * self.dtype.itemsize * (1 if self.targets is None else 1 + self.scale**2)
        return self.sizes.prod(1) * planes

    def shapes(self) -> set[tuple[int, int]]:
        """Return the different (height, width) pairs."""
        return {(height, width) for height, width in self.sizes.tolist()}

    def clean(self) -> Iterator[np.ndarray]:
        """Yield what the images should become (the targets of pairs), one by one; those that are lost are left out."""
        arrays = self.targets if self.targets is not None else self.arrays
        return arrays.present() if isinstance(arrays, StreamedArrays) else iter(arrays)

    @property
    def lost(self) -> list[str]:
        """What happened to images of which the files changed since they were first read, one sentence each."""
        parts = [part for part in (self.arrays, self.targets) if isinstance(part, StreamedArrays)]
        return [reason for part in parts for reason in part.lost.values()]


class Fingerprint:
    """A checksum of images: of their names, shapes, types and pixels, in their order."""

    def __init__(self) -> None:
        self.state = hashlib.blake2b(digest_size=16)

    def add(self, name: str, array: np.ndarray) -> None:
        """Take one image into account."""
        self.state.update(f"{name}/{array.shape}/{array.dtype}".encode())
        self.state.update(np.ascontiguousarray(array).data)

    def __str__(self) -> str:
        return self.state.hexdigest()


def load_images(
    source: ImageSource,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    on_error: OnError = "stop",
    progress: ReportProgress | None = None,
    stream: bool = False,
) -> Images:
    """Read every image of ``source`` into memory, or, to ``stream``, only what must be known of it.

    channels: 1 or 3; by default 1 if every image is grey, else 3 (grey ones are repeated, and a note says so).
    size: (width, height) in pixels to resize to; by default no image is resized. on_error: "stop" raises the first
    image's CuelloError, "skip" leaves such images out and lists them in ``skipped``.
    progress: called with how many images of how many are read.
    """
    found = survey(source, channels, size, on_error, progress) if stream else read_all(source, on_error, progress)
    if not found.kept:
        raise CuelloError(f"no image of {source.name} could be read; the first problem: {found.skipped[0]}")
    form, notes = form_of(found.facts, channels, size)
    if stream:
        sizes = [(fact.height, fact.width) if size is None else (size[1], size[0]) for fact in found.facts]
        arrays = StreamedArrays(source, found.kept, form, np.array(sizes, np.int64), found.stamps, on_error)
        notes.append(f"the {len(sizes)} images of {source.name} stay in their files and are decoded when they are used")
    else:
        arrays = [form.arranged(picture) for picture in found.pictures]
    kept = found.kept
    labels = source.labels[kept] if source.labels is not None else None
    held_out = np.flatnonzero(np.isin(kept, source.held_out)) if source.held_out is not None else None
    names = [source.names[index] for index in kept]
    known = str(found.fingerprint) if stream and form == found.guess else None
    return Images(
        source.name, arrays, names, labels, held_out, None, found.skipped, [*source.notes, *notes], known,
        label_names=source.label_names,
    )  # fmt: skip


@dataclass
class Found:
    """What a pass over a source found.

    kept: positions of the images that could be read; skipped: why the others could not. facts, stamps: one each.
    pictures: those images, unless they are streamed. fingerprint: theirs in the form ``guess``.
    """

    guess: Form | None = None
    kept: list[int] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    stamps: list[Stamp | None] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    fingerprint: Fingerprint = field(default_factory=Fingerprint)

    def skip(self, error: CuelloError, on_error: OnError) -> None:
        """Leave an image out, or raise the error with the way round."""
        if on_error == "stop":
            raise CuelloError(f"{error} To leave such images out, use --on-error skip.") from None
        self.skipped.append(str(error))


def read_all(source: ImageSource, on_error: OnError, progress: ReportProgress | None) -> Found:
    """Read every image and keep it."""
    found = Found()
    for index in range(len(source.names)):
        try:
            picture = source.read(index)
            found.pictures.append(picture)
            found.facts.append(facts_of(picture))
            found.kept.append(index)
        except CuelloError as error:
            found.skip(error, on_error)
        if progress:
            progress(index + 1, len(source.names))
    return found


def survey(
    source: ImageSource,
    channels: int | None,
    size: tuple[int, int] | None,
    on_error: OnError,
    progress: ReportProgress | None,
) -> Found:
    """Read every image once and keep only what is known of it.

    Its checksum needs the form of all, which is known at the end: it is guessed from a few, and where the guess was
    wrong (one colour image among thousands of grey ones), the fingerprint takes a second pass.
    """
    sample = glance(source)
    found = Found(form_of(sample, channels, size)[0] if sample else None)
    for index, seen in enumerate(in_order(looking(source, found.guess), len(source.names))):
        if isinstance(seen, CuelloError):
            found.skip(seen, on_error)
        else:
            found.kept.append(index)
            found.facts.append(seen.facts)
            found.stamps.append(seen.stamp)
            if seen.pixels is not None:
                found.fingerprint.add(source.names[index], seen.pixels)
        if progress:
            progress(index + 1, len(source.names))
    return found


def unify(pictures: Sequence[Picture], channels: int | None) -> tuple[list[np.ndarray], list[str]]:
    """Bring pictures to one number of channels and one type, and say in notes what that changed."""
    form, notes = form_of([facts_of(picture) for picture in pictures], channels)
    return [form.arranged(picture) for picture in pictures], notes


def pair(inputs: Images, targets: Images, *, scale: int = 1, on_error: OnError = "stop") -> Images:
    """Join two sets of images by name (without ending): ``targets`` hold what ``inputs`` should become.

    scale: how many times larger each side of a target is, exactly. on_error: "skip" leaves pairs of other sizes out.
    Raises CuelloError that names the images without a partner, or a pair whose sizes do not fit.
    """

    def stem(name: str) -> str:
        return re.sub(r"\.[^./#]*(?=(#\d+)?$)", "", name)  # a.tif is a, and its page a.tif#000 is a#000

    by_stem = {stem(name): index for index, name in enumerate(targets.names)}
    by_name = {name: index for index, name in enumerate(targets.names)}  # a.png goes with a.png before a.jpg
    missing = [name for name in inputs.names if stem(name) not in by_stem]
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise CuelloError(
            f"{len(missing)} of {len(inputs)} images in {inputs.name} have no partner of the same name in "
            f"{targets.name}: {shown}. Name the clean image of a.png a.png (or a.tif …)."
        )
    partners = [by_name.get(name, by_stem[stem(name)]) for name in inputs.names]
    unused = len(targets) - len(set(partners))
    unfit: dict[int, str] = {}
    for place, (name, size, target) in enumerate(
        zip(inputs.names, inputs.sizes.tolist(), targets.sizes[partners].tolist(), strict=True)
    ):
        one, other = (*size, inputs.channels), (*target, targets.channels)
        if (*(scale * side for side in size), inputs.channels) != other:
            unfit[place] = unfit_pair(name, inputs.name, targets.name, one, other, scale)
    if unfit and (on_error == "stop" or len(unfit) == len(inputs)):
        way_round = " To leave such pairs out, use --on-error skip." if on_error == "stop" else " No pair is left."
        raise CuelloError(next(iter(unfit.values())) + way_round)
    if unfit:
        inputs = subset(inputs, [place for place in range(len(inputs)) if place not in unfit])
        partners = [partner for place, partner in enumerate(partners) if place not in unfit]
    matched = picked(targets.arrays, partners)
    if inputs.dtype != targets.dtype:
        widest = np.promote_types(inputs.dtype, targets.dtype)
        matched = at_depth(matched, widest)
        inputs = replace(inputs, arrays=at_depth(inputs.arrays, widest))
    notes = [*inputs.notes, *targets.notes]
    if unused:
        notes.append(f"{unused} images in {targets.name} have no partner in {inputs.name} and were left aside")
    skipped = [*inputs.skipped, *targets.skipped, *unfit.values()]
    return replace(inputs, targets=matched, skipped=skipped, notes=notes, fingerprint=None, scale=scale)


def unfit_pair(name: str, inputs: str, targets: str, size: tuple[int, ...], target: tuple[int, ...], scale: int) -> str:
    """Say that the sizes (height, width, channels) of a pair do not fit, and what to do."""
    if scale == 1:
        return (
            f"the pair {name} has different sizes: {size} in {inputs}, {target} in {targets} (height, width, "
            "channels). Use --resize or --channels, or mend the files."
        )
    height, width = scale * size[0], scale * size[1]
    return (
        f"the pair {name} has {size[1]}×{size[0]} pixels in {inputs} and {target[1]}×{target[0]} in {targets}, needed "
        f"{width}×{height} there, {scale} times as large. Cut the large image to that size, or state another --scale."
    )


def subset(images: Images, kept: Sequence[int]) -> Images:
    """Return the images at these positions (rising), with their names and labels."""
    held_out = images.held_out
    return replace(
        images,
        arrays=picked(images.arrays, kept),
        names=[images.names[place] for place in kept],
        labels=images.labels[np.asarray(kept)] if images.labels is not None else None,
        held_out=np.flatnonzero(np.isin(kept, held_out)) if held_out is not None else None,
        fingerprint=None,
    )


def picked(arrays: Sequence[np.ndarray], order: Sequence[int]) -> Sequence[np.ndarray]:
    """Return the arrays at these positions, in memory or streamed as they are."""
    return arrays.picked(order) if isinstance(arrays, StreamedArrays) else [arrays[index] for index in order]


def at_depth(arrays: Sequence[np.ndarray], dtype: np.dtype) -> Sequence[np.ndarray]:
    """Return the arrays at a wider type, in memory or streamed as they are."""
    return arrays.at_depth(dtype) if isinstance(arrays, StreamedArrays) else [to_depth(one, dtype) for one in arrays]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read ``"64"`` or ``"96x64"`` (width × height, pixels).

    >>> parse_size("96x64")
    (96, 64)
    """
    if text is None:
        return None
    width, _, height = str(text).lower().partition("x")
    try:
        size = (int(width), int(height or width))
    except ValueError:
        size = (0, 0)
    if min(size) < 1:
        raise CuelloError(f"resize: got {text!r}, needed a size in pixels such as 64 or 96x64 (width x height).")
    return size
