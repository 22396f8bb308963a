"""Images of one form: in memory, or left in their files and decoded when they are used."""

import hashlib
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from cuello.core.errors import CuelloError, Fault, first_few, worded
from cuello.core.progress import OnProgress, Progress, listener, silent
from cuello.data.form import form_of, to_depth
from cuello.data.levels import LITTLE, full_scale
from cuello.data.sources import ImageSource, with_four_channels
from cuello.data.stored import MAX_PIXELS
from cuello.data.stream import Seen, StreamedArrays, glance, in_order, looking

OnError = Literal["stop", "skip"]
MOST_SAID = 5
"""Reasons that a warning gives, at most."""


@dataclass(frozen=True)
class Images:
    """Images of one form.

    arrays: one ``(H, W, C)`` array an image, all of one type (uint8, uint16 or float32) and one C, in memory or
    streamed. names: one each. labels: one whole number each, or None; label_names: what the numbers stand for, where
    that is known. held_out, validated: positions that the data set keeps for testing and for validation, or None.
    targets: the clean counterpart of each image where the data come in pairs, or None. scale: how many times larger the
    targets' sides are. skipped: why images were left out, one sentence each. notes: what else a user should know.
    fingerprint: their checksum, where reading them gave it already.
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
    validated: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def streamed(self) -> bool:
        return isinstance(self.arrays, StreamedArrays)

    @property
    def channels(self) -> int:
        return self.arrays.form.channels if isinstance(self.arrays, StreamedArrays) else self.arrays[0].shape[-1]

    @property
    def dtype(self) -> np.dtype:
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
        self.state.update(f"{name}/{array.shape}/{array.dtype}".encode())
        self.state.update(np.ascontiguousarray(array).data)

    def __str__(self) -> str:
        return self.state.hexdigest()


def load_images(
    source: ImageSource,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    on_error: OnError = "stop",
    progress: OnProgress | None = None,
    stream: bool = False,
) -> Images:
    """Read every image of ``source`` into memory, or, to ``stream``, only what must be known of it.

    channels: 1 or 3; by default 1 if every image is grey, else 3 (grey ones are repeated, and a note says so); 4: what
    else is taken for transparency is a channel of the image.
    size: (width, height) in pixels to resize to; by default no image is resized. on_error: "stop" raises the first
    image's CuelloError, "skip" leaves such images out, says so, and lists them in ``skipped``.
    progress: called with events, and with a note for each image that is left out.
    """
    if on_error not in get_args(OnError):
        raise CuelloError(f"--on-error: got {on_error!r}, needed 'stop' or 'skip'.")
    tell = listener(progress, ("done", "total"))
    if channels == 4:
        source = with_four_channels(source)
    glimpse = glance(source) if stream else []
    guess = form_of(glimpse, channels, size)[0] if glimpse else None
    look, count = looking(source, guess), len(source.names)
    seen: dict[int, Seen] = {}
    skipped, fingerprint = [], Fingerprint()
    for index, one in enumerate(in_order(look, count) if stream else map(look, range(count))):
        if isinstance(one, Seen):
            if one.pixels is not None:
                fingerprint.add(source.names[index], one.pixels)
            seen[index] = replace(one, pixels=None, picture=None) if stream else one
        elif on_error == "stop":
            raise Fault(f"{one} To leave such images out, use --on-error=skip.")
        else:
            skipped.append(str(one))
        tell(Progress("reading images", index + 1, count))
    if not seen:
        raise Fault(f"no image of {source.name} could be read; the first problem: {skipped[0]}")
    say_left_out(skipped, tell)
    kept, facts = list(seen), [one.facts for one in seen.values()]
    form, notes = form_of(facts, channels, size)
    if stream:
        sizes = [(fact.height, fact.width) if size is None else (size[1], size[0]) for fact in facts]
        stamps = [one.stamp for one in seen.values()]
        arrays = StreamedArrays(source, kept, form, sizes=np.array(sizes, np.int64), stamps=stamps, on_error=on_error)
        notes.append(f"the {len(sizes)} images of {source.name} stay in their files and are decoded when they are used")
    else:
        arrays = [form.arranged(one.picture) for one in seen.values() if one.picture is not None]
        notes += note_on_little(source.name, arrays)
    return Images(
        source.name,
        arrays,
        names=[source.names[index] for index in kept],
        labels=source.labels[kept] if source.labels is not None else None,
        label_names=source.label_names,
        held_out=places_in(kept, source.held_out),
        validated=places_in(kept, source.validated),
        skipped=skipped,
        notes=[*source.notes, *notes],
        # the guess was the form of a few: where it was wrong, the fingerprint takes a second pass
        fingerprint=str(fingerprint) if stream and form == guess else None,
    )


def say_left_out(reasons: Sequence[str], tell: OnProgress) -> None:
    """Say of each image that is left out why, one sentence each; as a warning, where nobody listens."""
    for reason in reasons:
        tell(Progress("reading images", 1, 1, note=f"left out: {reason}"))
    if reasons and tell is silent:
        what = "1 image is" if len(reasons) == 1 else f"{len(reasons)} images are"
        more = " …" if len(reasons) > MOST_SAID else ""
        warnings.warn(f"{what} left out: {' '.join(reasons[:MOST_SAID])}{more}", stacklevel=3)


def note_on_little(name: str, arrays: Sequence[np.ndarray]) -> list[str]:
    """Say so where the values of all images fill less than a tenth of their type's range."""
    low, high = min(float(one.min()) for one in arrays), max(float(one.max()) for one in arrays)
    if not 0 < high - low < LITTLE * full_scale(arrays[0].dtype):
        return []
    return [
        worded(
            f"the values of {name}, {low:g} to {high:g}, fill less than a tenth of what their type holds: if that is "
            "not intended, say what stands for black and white: --range=LOW..HIGH or --range=auto"
        )
    ]


def pair(
    inputs: Images, targets: Images, *, scale: int = 1, on_error: OnError = "stop", progress: OnProgress = silent
) -> Images:
    """Join two sets of images by name (without ending): ``targets`` hold what ``inputs`` should become.

    scale: how many times larger each side of a target is, exactly. on_error: "skip" leaves out images without a
    partner, and pairs of other sizes. progress: called with a note for each that is left out.
    Raises CuelloError that names the images without a partner, or a pair whose sizes do not fit.
    """
    alone = without_partner(inputs, targets) if on_error == "skip" else {}
    if 0 < len(alone) < len(inputs):
        inputs = subset(inputs, [place for place in range(len(inputs)) if place not in alone])
    else:
        alone = {}
    partners = partners_of(inputs, targets)
    unused = sorted(set(range(len(targets))) - set(partners))
    unfit: dict[int, str] = {}
    for place, (name, size, target) in enumerate(
        zip(inputs.names, inputs.sizes.tolist(), targets.sizes[partners].tolist(), strict=True)
    ):
        one, other = (*size, inputs.channels), (*target, targets.channels)
        if (*(scale * side for side in size), inputs.channels) != other:
            unfit[place] = unfit_pair(name, (inputs.name, targets.name), (one, other), scale=scale)
    if unfit and (on_error == "stop" or len(unfit) == len(inputs)):
        way_round = " To leave such pairs out, use --on-error=skip." if on_error == "stop" else " No pair is left."
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
        shown = first_few(targets.names[place] for place in unused)
        what = f"{len(unused)} images in {targets.name} have" if len(unused) > 1 else f"1 image in {targets.name} has"
        were = "were" if len(unused) > 1 else "was"
        notes.append(f"{what} no partner in {inputs.name} and {were} ignored: {shown}")
    same = identical(inputs, matched) if scale == 1 else []
    if len(same) == len(inputs):
        raise CuelloError(
            f"{targets.name} holds the same pixels as {inputs.name}, image by image ({len(same)} of {len(same)}), so "
            "that there is nothing to learn or to judge. Give the folder of the clean images, or of other noisy "
            "ones of the same scenes, as --target."
        )
    if same:
        shown = first_few(inputs.names[place] for place in same)
        notes.append(
            f"{len(same)} of {len(inputs)} pairs hold the same pixels twice, so that there is nothing to learn from "
            f"them: {shown}"
        )
    left_out = [*alone.values(), *unfit.values()]
    say_left_out(left_out, progress)
    skipped = [*inputs.skipped, *targets.skipped, *left_out]
    return replace(inputs, targets=matched, skipped=skipped, notes=notes, fingerprint=None, scale=scale)


def stem(name: str) -> str:
    """Return a name without its ending: a.tif is a, and its page a.tif#000 is a#000."""
    name = unicodedata.normalize("NFC", name)  # systems write é in one sign or in two
    return re.sub(r"\.[^./#]*(?=(#\d+)?$)", "", name)


def without_partner(inputs: Images, targets: Images) -> dict[int, str]:
    """Find the inputs that have no target, and say so of each."""
    known = {stem(name) for name in targets.names}
    return {
        place: f"{name} of {inputs.name} has no partner of the same name in {targets.name}."
        for place, name in enumerate(inputs.names)
        if stem(name) not in known
    }


def partners_of(inputs: Images, targets: Images) -> list[int]:
    """Find which target each input has: the one of its name, or else the only one of its name without ending.

    Raises CuelloError that names the inputs without a target, or what has two partners.
    """
    by_name = {name: index for index, name in enumerate(targets.names)}
    by_stem: dict[str, list[int]] = {}
    for index, name in enumerate(targets.names):
        by_stem.setdefault(stem(name), []).append(index)
    missing = [name for name in inputs.names if stem(name) not in by_stem]
    if missing:
        raise CuelloError(
            f"{len(missing)} of {len(inputs)} images in {inputs.name} have no partner of the same name in "
            f"{targets.name}: {first_few(missing, 5)}. The clean image of a.png is called a.png too (or a.tif …)."
        )
    taken: dict[int, str] = {}
    for name in inputs.names:
        found = [by_name[name]] if name in by_name else by_stem[stem(name)]
        one, other = name, ""
        if len(found) > 1:
            where, (one, other) = targets.name, [targets.names[place] for place in found[:2]]
        elif found[0] in taken:
            where, other = inputs.name, taken[found[0]]
        if other:
            raise CuelloError(
                f"{one} and {other} in {where} have the same name without ending, so that it is not clear which of "
                "them belongs to the pair. Remove the other one, or give both images of a pair the same "
                "ending."
            )
        taken[found[0]] = name
    return list(taken)


def identical(inputs: Images, targets: Sequence[np.ndarray]) -> list[int]:
    """Find the inputs that are their targets, pixel for pixel; streamed ones only where their files are the same."""
    if isinstance(inputs.arrays, StreamedArrays) and isinstance(targets, StreamedArrays):
        return [place for place in range(len(inputs)) if inputs.arrays.same_file(place, targets)]
    return [
        place
        for place, (one, other) in enumerate(zip(inputs.arrays, targets, strict=True))
        if np.array_equal(one, other)
    ]


def unfit_pair(name: str, sets: tuple[str, str], sizes: tuple[tuple[int, ...], tuple[int, ...]], scale: int) -> str:
    """Say that the sizes (height, width, channels) of a pair do not fit, and what to do."""
    (inputs, targets), (size, target) = sets, sizes
    if scale == 1:
        return (
            f"the pair {name} has different sizes: {size} in {inputs}, {target} in {targets} (height, width, "
            "channels). Use --resize or --channels, or correct the files."
        )
    height, width = scale * size[0], scale * size[1]
    return (
        f"the pair {name} has {size[1]}×{size[0]} pixels in {inputs} and {target[1]}×{target[0]} in {targets}, needed "
        f"{width}×{height} there, {scale} times as large. Cut the large image to that size, or state another --scale."
    )


def subset(images: Images, kept: Sequence[int]) -> Images:
    """Keep the images at these positions (rising), with their names and labels."""
    return replace(
        images,
        arrays=picked(images.arrays, kept),
        names=[images.names[place] for place in kept],
        labels=images.labels[np.asarray(kept)] if images.labels is not None else None,
        held_out=places_in(kept, images.held_out),
        validated=places_in(kept, images.validated),
        fingerprint=None,
    )


def places_in(kept: Sequence[int], wanted: np.ndarray | None) -> np.ndarray | None:
    """Find where in ``kept`` the wanted positions are; None where none are wanted."""
    return None if wanted is None else np.flatnonzero(np.isin(kept, wanted))


def picked(arrays: Sequence[np.ndarray], order: Sequence[int]) -> Sequence[np.ndarray]:
    return arrays.picked(order) if isinstance(arrays, StreamedArrays) else [arrays[index] for index in order]


def at_depth(arrays: Sequence[np.ndarray], dtype: np.dtype) -> Sequence[np.ndarray]:
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
        raise CuelloError(f"resize: got {text[:40]!r}, needed a size in pixels such as 64 or 96x64 (width x height).")
    if size[0] * size[1] > MAX_PIXELS:
        raise CuelloError(
            f"resize: got {text[:40]!r}, images of {4 * size[0] * size[1] / 2**20:,.0f} MiB per channel while they are "
            f"worked on; needed at most {MAX_PIXELS:,} pixels."
        )
    return size
