"""Images in memory: read once, as many bits as they came with, all of one number of channels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from cuello.data.picture import Picture, as_channels, resized
from cuello.data.sources import ImageSource
from cuello.errors import CuelloError

OnError = Literal["stop", "skip"]
ReportProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Images:
    """Images held in memory.

    arrays: one ``(H, W, C)`` array an image, all of one type (uint8, uint16 or float32) and one C. names: one each.
    labels: one whole number each, or None. held_out: positions that the data set keeps for testing, or None.
    targets: the clean counterpart of each image where the data come in pairs, same shapes, or None.
    skipped: why images were left out, one sentence each. notes: what else a user should know.
    """

    name: str
    arrays: Sequence[np.ndarray]
    names: Sequence[str]
    labels: np.ndarray | None = None
    held_out: np.ndarray | None = None
    targets: Sequence[np.ndarray] | None = None
    skipped: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def channels(self) -> int:
        return self.arrays[0].shape[-1]

    def shapes(self) -> set[tuple[int, int]]:
        """Return the different (height, width) pairs."""
        return {array.shape[:2] for array in self.arrays}


def load_images(
    source: ImageSource,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    on_error: OnError = "stop",
    progress: ReportProgress | None = None,
) -> Images:
    """Read every image of ``source`` into memory.

    channels: 1 or 3; by default 1 if every image is grey, else 3 (grey ones are repeated, and a note says so).
    size: (width, height) in pixels to resize to; by default no image is resized. on_error: "stop" raises the first
    image's CuelloError, "skip" leaves such images out and lists them in ``skipped``.
    progress: called with how many images of how many are read.
    """
    pictures: list[Picture] = []
    kept: list[int] = []
    skipped: list[str] = []
    for index in range(len(source.names)):
        try:
            pictures.append(source.read(index))
            kept.append(index)
        except CuelloError as error:
            if on_error == "stop":
                raise CuelloError(f"{error} To leave such images out, use --on-error skip.") from None
            skipped.append(str(error))
        if progress:
            progress(index + 1, len(source.names))
    if not pictures:
        raise CuelloError(f"no image of {source.name} could be read; the first problem: {skipped[0]}")
    arrays, notes = unify(pictures, channels)
    if size is not None:
        arrays = [resized(array, size) for array in arrays]
    labels = source.labels[kept] if source.labels is not None else None
    held_out = np.flatnonzero(np.isin(kept, source.held_out)) if source.held_out is not None else None
    names = [source.names[index] for index in kept]
    return Images(source.name, arrays, names, labels, held_out, None, skipped, [*source.notes, *notes])


def unify(pictures: Sequence[Picture], channels: int | None) -> tuple[list[np.ndarray], list[str]]:
    """Bring pictures to one number of channels and one type, and say in notes what that changed."""
    notes = []
    grey = sum(picture.pixels.shape[-1] == 1 for picture in pictures)
    wanted = channels or (1 if grey == len(pictures) else 3)
    if wanted == 3 and grey:
        notes.append(f"{grey} of {len(pictures)} images are grey; they were repeated to three channels")
    if wanted == 1 and grey < len(pictures):
        notes.append(f"{len(pictures) - grey} of {len(pictures)} images are in colour; they were turned to grey (luma)")
    transparent = sum(picture.alpha is not None for picture in pictures)
    if transparent:
        notes.append(f"the transparency of {transparent} images was left aside")
    arrays = [as_channels(picture, wanted).pixels for picture in pictures]
    types = {array.dtype for array in arrays}
    if len(types) > 1:
        widest = np.dtype(np.float32) if any(kind.kind == "f" for kind in types) else np.dtype(np.uint16)
        arrays = [to_depth(array, widest) for array in arrays]
        notes.append(f"images of different depths ({', '.join(sorted(map(str, types)))}) were brought to {widest}")
    return arrays, notes


def to_depth(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` at a wider type, white staying white: 8 bits times 257 are 16 bits."""
    if array.dtype == dtype:
        return array
    if dtype.kind == "f":
        return (array / np.iinfo(array.dtype).max).astype(np.float32)
    return array.astype(np.uint16) * 257


def pair(inputs: Images, targets: Images) -> Images:
    """Join two sets of images by name (without ending): ``targets`` hold what ``inputs`` should become.

    Raises CuelloError that names the images without a partner, or a pair of different sizes.
    """

    def stem(name: str) -> str:
        return name.rsplit(".", 1)[0]

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
    matched = [targets.arrays[index] for index in partners]
    for name, array, target in zip(inputs.names, inputs.arrays, matched, strict=True):
        if array.shape != target.shape:
            raise CuelloError(
                f"the pair {name} has different sizes: {array.shape} in {inputs.name}, {target.shape} in "
                f"{targets.name} "
                "(height, width, channels). Use --resize or --channels, or mend the files."
            )
    if inputs.arrays[0].dtype != matched[0].dtype:
        widest = np.promote_types(inputs.arrays[0].dtype, matched[0].dtype)
        matched = [to_depth(array, widest) for array in matched]
        inputs = replace(inputs, arrays=[to_depth(array, widest) for array in inputs.arrays])
    notes = [*inputs.notes, *targets.notes]
    if unused:
        notes.append(f"{unused} images in {targets.name} have no partner in {inputs.name} and were left aside")
    return replace(inputs, targets=matched, skipped=[*inputs.skipped, *targets.skipped], notes=notes)


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
