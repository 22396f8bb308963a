"""The noise of a set of images, measured channel by channel, for `cuello noise` and `cuello.noise`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cuello.core.errors import CuelloError, first_few
from cuello.core.files import check_free, printable
from cuello.core.progress import OnProgress, Progress, hearing, listener
from cuello.core.spoken import spoken
from cuello.core.spread import spread_evenly
from cuello.denoising.denoise import are_places, arrays_of, has_alpha
from cuello.denoising.noise_page import FILES, result_of, write_report
from cuello.denoising.planes import images_of, middle_of
from cuello.denoising.restorer import REFUSED
from cuello.inference.targets import find
from cuello.noise_models.estimate import NoiseCurve, estimate_noise
from cuello.noise_models.model import apart
from cuello.noise_models.structure import kind_of
from cuello.noise_models.survey import NoiseSurvey, checked, survey
from cuello.report.result import Result
from cuello.training.watched import watched

LIMIT = 24
"""Images that are looked at, unless more are asked for."""
UNLIKE = 2.0
"""Images whose noise, at the same brightness, has so many times the variance of most are of another setting."""
COLOURS = {1: ("grey",), 3: ("red", "green", "blue")}


class NamedImage(NamedTuple):
    """An image ``(H, W, C)`` and what it is called. alone: no other image is in its file."""

    name: str
    pixels: np.ndarray
    alone: bool = True


@dataclass(frozen=True)
class NoiseReport:
    """What the noise of a set of images is like.

    name: of the set. images: how many were measured. names, channels: of each channel its name and its noise.
    left_out: (image, why) for those that do not belong to the rest. failed: (file, why) for those that could not be
    read. notes: what is worth knowing.
    """

    name: str
    images: int
    names: Sequence[str]
    channels: Sequence[NoiseSurvey]
    left_out: Sequence[tuple[str, str]] = ()
    failed: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()

    @property
    def result(self) -> Result:
        """All of it in words, as tables, as values and as JSON."""
        return result_of(self)

    def __str__(self) -> str:
        return self.result.verdict


@watched()
def noise(
    images: Any,
    *,
    limit: int = LIMIT,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: OnProgress | bool | None = None,
) -> NoiseReport:
    """Measure the noise of images of one camera and setting, from these images alone.

    images: files, a folder, a pattern or several of these; or arrays, tensors, Pillow images or lists of them, as
    ``cuello.denoise`` takes them. Values stay in their unit; NaN marks pixels without a value. limit: at most so many
    images are looked at, spread evenly. output: a folder for report.html, noise.json and the pictures; where it holds
    some, only with ``overwrite``.

    Raises CuelloError for masks and maps of labels, which have no noise, and for images too small to tell.

    >>> random = np.random.default_rng(0)
    >>> image = np.linspace(20, 200, 256) + np.zeros((256, 1))
    >>> found = noise(2.0 * random.poisson(image / 2) + random.normal(0, 5, image.shape))
    >>> abs(found.channels[0].model.gain / 2 - 1) < 0.1, found.channels[0].white
    (True, True)
    """
    if limit < 1:
        raise CuelloError(f"--limit: got {limit}, needed 1 or more images.")
    folder = None if output is None else Path(output).expanduser()
    if folder is not None:
        check_free(folder, FILES, overwrite)
    tell = listener(progress)
    left_out: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    name, several, notes = read(images, limit, failed=failed, tell=tell)
    report = measured(name, fitting(several, left_out), left_out=left_out, tell=tell)
    report = replace(report, failed=failed, notes=[*notes, *report.notes])
    if folder is not None:
        write_report(folder, report)
    return report


def read(
    images: Any, limit: int, *, failed: list[tuple[str, str]], tell: OnProgress
) -> tuple[str, list[NamedImage], list[str]]:
    """Read images: a name for all, each of those that are looked at, and notes."""
    if not are_places(images):
        stacks = [without_alpha(stack) for stack in arrays_of(images)]
        whole = [
            NamedImage(f"image {number}", one) for number, one in enumerate(one for stack in stacks for one in stack)
        ]
        if not whole:
            raise CuelloError(f"got {type(images).__name__} without an image, needed arrays, Pillow images or files.")
        alone = len(stacks) > 1 or len(whole) == 1
        chosen = [whole[place] for place in (spread_evenly if alone else middle_of)(len(whole), limit)]
        return "the images", [one._replace(alone=alone) for one in chosen], looked_at(len(chosen), len(whole))
    sources = [images] if isinstance(images, str | Path) else list(images)
    with hearing(tell):
        found = find(sources)
    paths = list(found.files)
    chosen = [paths[place] for place in spread_evenly(len(paths), limit)]
    several: list[NamedImage] = []
    for place, path in enumerate(chosen):
        tell(Progress("reading", place, len(chosen), path=path))
        try:
            several += pages(path, limit)
        except (CuelloError, ValueError, OSError) as error:
            failed.append((printable(spoken(str(path))), spoken(str(error))))
    tell(Progress("reading", len(chosen), len(chosen)))
    if not several:
        raise CuelloError(f"none of {len(chosen)} images could be read: {first_few(why for _, why in failed)}")
    name = printable(Path(sources[0]).name or str(sources[0])) if len(sources) == 1 else f"{len(paths)} files"
    several = [several[place] for place in spread_evenly(len(several), limit)]
    return name, several, [*map(spoken, found.notes), *looked_at(len(chosen), len(paths))]


def without_alpha(stack: np.ndarray) -> np.ndarray:
    """Leave out what looks like transparency of ``(N, H, W, C)``."""
    return stack[..., :-1] if stack.shape[-1] in (2, 4) and has_alpha(stack) else stack


def pages(path: Path, limit: int) -> Iterator[NamedImage]:
    """Read the images in a file, of many the middle ones, which follow each other."""
    chosen: list[int] = []

    def choose(count: int) -> list[int]:
        chosen[:] = middle_of(count, limit)
        return chosen

    whole = list(images_of(path, choose))
    if len(whole) == 1:
        yield NamedImage(printable(path.name), whole[0])
        return
    for number, pixels in zip(chosen, whole, strict=True):
        yield NamedImage(printable(f"{path.name}#{number:03d}"), pixels, alone=False)


def looked_at(count: int, total: int) -> list[str]:
    return [] if count == total else [f"{count} of {total} images were looked at, spread evenly"]


def fitting(several: Sequence[NamedImage], left_out: list[tuple[str, str]]) -> list[NamedImage]:
    """Leave out what cannot be measured, images of other channels than most, masks and maps of labels.

    CuelloError where nothing is left.
    """
    counts = [one.pixels.shape[2] for one in several]
    most = max(set(counts), key=counts.count)
    kept = []
    refused = ""
    for one in several:
        planes = [one.pixels[:, :, channel] for channel in range(one.pixels.shape[2])]
        try:
            checked(planes)
        except CuelloError as error:
            refused = str(error)
            left_out.append((one.name, refused.removeprefix("got ").rstrip(".")))
            continue
        kind = kind_of(planes)
        if kind in REFUSED:
            refused = REFUSED[kind]
            left_out.append((one.name, refused.removeprefix("got ").partition(":")[0]))
        elif one.pixels.shape[2] != most:
            left_out.append((one.name, f"{one.pixels.shape[2]} channels, where most images have {most}"))
        else:
            kept.append(one)
    if not kept:
        raise CuelloError(refused)
    return kept


def measured(
    name: str, several: Sequence[NamedImage], *, left_out: list[tuple[str, str]], tell: OnProgress
) -> NoiseReport:
    """Measure each channel of images of one setting; those of another are left out."""
    channels = several[0].pixels.shape[2]
    alike = of_one_setting(several, left_out)
    frames = len(alike) > 1 and len({one.pixels.shape for one in alike}) == 1
    found = []
    for channel in range(channels):
        tell(Progress("measuring noise", channel, channels))
        planes = [one.pixels[:, :, channel] for one in alike]
        one = survey(planes, frames=frames)
        if any(image.alone for image in alike):  # of a folder, nobody said that they show one scene
            one = replace(one, notes=tuple(note for note in one.notes if not note.startswith("noise was measured in")))
        found.append(one)
    tell(Progress("measuring noise", channels, channels))
    names = COLOURS.get(channels, tuple(f"channel {number}" for number in range(1, channels + 1)))
    notes = joined_notes(names, found)
    if aside := len(several) - len(alike):
        notes.append(
            f"{aside} of {len(several)} images have noise of another strength and are left out: measure those by "
            "themselves"
        )
    return NoiseReport(name, len(alike), names, channels=found, left_out=left_out, notes=notes)


def joined_notes(names: Sequence[str], found: Sequence[NoiseSurvey]) -> list[str]:
    """Give the notes of all channels, each once, with the channels that it is of where there are several."""
    notes: dict[str, list[str]] = {}
    for name, one in zip(names, found, strict=True):
        for note in one.notes:
            notes.setdefault(note, []).append(name)
    return [note if len(of) == len(names) else f"{', '.join(of)}: {note}" for note, of in notes.items()]


def of_one_setting(several: Sequence[NamedImage], left_out: list[tuple[str, str]]) -> list[NamedImage]:
    """Leave out images whose noise is much stronger or weaker than that of at least three quarters."""
    if len(several) < 3:
        return list(several)
    curves = [curve_of(one.pixels) for one in several]
    known = [curve for curve in curves if curve is not None]
    if len(known) < 3:
        return list(several)
    apart = np.array([[distance(one, other) for other in known] for one in known])
    middle = known[int(np.argmin(np.median(apart, 1)))]
    far = [curve is not None and distance(curve, middle) > np.log(UNLIKE) for curve in curves]
    if sum(far) > len(several) / 4:  # no setting is that of most
        return list(several)
    left_out += [
        (one.name, "its noise is of another strength than most images'")
        for one, is_far in zip(several, far, strict=True)
        if is_far
    ]
    return [one for one, is_far in zip(several, far, strict=True) if not is_far]


def curve_of(pixels: np.ndarray) -> NoiseCurve | None:
    """Estimate the noise of an image's middle channel; None where that cannot be done."""
    try:
        return estimate_noise([pixels[:, :, pixels.shape[2] // 2]])
    except CuelloError:
        return None


def distance(one: NoiseCurve, other: NoiseCurve) -> float:
    """Say how far two variances are apart at the brightness of the first, however little of the range they are."""
    least = max(np.finfo(float).tiny, 1e-6 * float(np.ptp(one.brightness)) ** 2)
    return apart(one.model, other.model, one.brightness, least=least)
