"""Denoise images of any kind, files or in memory, by what they themselves tell of their noise."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from cuello.core.errors import CuelloError, Interrupted, closest
from cuello.core.files import check_new
from cuello.core.progress import OnProgress, Progress, hearing, listener
from cuello.core.spoken import spoken
from cuello.core.spread import spread_evenly
from cuello.data.levels import full_scale
from cuello.denoising.captures import MOST, CapturesScore, score_of_captures
from cuello.denoising.kinds import EFFORTS, Effort, PlaneKind, blended, kinds_of, with_learned
from cuello.denoising.page import write_report
from cuello.denoising.planes import MOST_FILES, UNITS, images_of_files
from cuello.denoising.restorer import SCORED, ChannelDenoiser, PlaneResult
from cuello.denoising.truth import Truth, cleans_of, truth_of
from cuello.inference.arrays import SameKind, as_stack, native
from cuello.inference.bundled import BUNDLED
from cuello.inference.files import Applied, Noted, files_to_do, go_through, restore_file, retold
from cuello.inference.model import Model, load
from cuello.inference.targets import Place
from cuello.inference.tensors import channels_first
from cuello.training.watched import watched


@dataclass(frozen=True)
class Denoised(Applied):
    """What became of the files, and of the channels in each.

    channels: for each of ``files``, what was done, channel by channel and page by page. kinds: of noise that several
    share. captures: how good the results are by each other, where the files are captures of one scene. truths: for each
    of ``files``, how near it is to its clean image, where that was given. report: the page that was written.
    """

    channels: list[list[PlaneResult]] = field(default_factory=list)
    kinds: Sequence[PlaneKind] = ()
    captures: CapturesScore | None = None
    truths: Sequence[Truth | None] = ()
    report: Path | None = None


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello denoise`.
@watched()
def denoise(
    images: Any,
    destination: Place | None = None,
    *,
    effort: Effort = "quick",
    each: bool = False,
    repair: bool = True,
    device: str = "cpu",
    target: Place | None = None,
    report: Place | None = None,
    progress: OnProgress | bool | None = None,
    **files: Any,
) -> Any:
    """Take noise off images without a clean one and without settings: what they tell of their noise is enough.

    The noise of every channel is measured (how strong at each brightness, correlated or not, hot and dead pixels), made
    even by a transform, taken off, and the transform undone. Values stay in their unit, whatever that is: dark 16-bit
    images, negative values and floats need no range. NaN stays NaN.

    images: arrays, tensors, Pillow images or lists of them, as a ``Model`` takes them, of which the same kind comes
    back; a last axis of 2 or 4 is transparency only where it looks like it. Or files, a folder, a pattern or several,
    with a ``destination``, as for ``cuello.apply``: then what became of them comes back (``Denoised``).
    effort: "quick", seconds; "normal", about a minute for a set: the transform is learned from the images, around the
    network, which stays as it is, and images are restored turned and mirrored as well; "thorough", some minutes: the
    network goes on learning from the images too, from captures of one scene by each other. each: measure the noise of
    every image by itself; by default images whose noise is the same are measured together, as those of one camera and
    setting are. repair: replace hot and dead pixels by what is around them first. device: cpu, cuda, cuda:N or mps.
    target: the clean image of a file, or a folder with the clean image of every image, to say how near the results are
    (``Denoised.truths``); used for nothing else. report: a folder for report.html and its pictures. files: overwrite,
    in_place, keep_originals, skip_existing and format, as for ``cuello.apply``.

    Raises CuelloError for masks and maps of labels, which hold no noise, and where ``target`` has other names or sizes.

    >>> random = np.random.default_rng(0)
    >>> clean = np.linspace(200, 500, 128) + np.zeros((128, 1))
    >>> noisy = random.poisson(clean).astype(np.uint16)
    >>> bool(np.std(denoise(noisy) - clean) < np.std(noisy - clean) / 3)
    True
    """
    check_effort(effort)
    tell = listener(progress, ("done", "total", "path"))
    way = ChannelDenoiser(shipped(device), effort=effort, repairs=repair)
    if are_places(images):
        folder = None if report is None else Path(report).expanduser()
        if folder is not None:
            check_new(folder / "report.html", bool(files.get("overwrite")))
        found = denoise_files(way, images, destination, each=each, tell=tell, target=target, files=files)
        return found if folder is None else replace(found, report=write_report(folder, found))
    if destination is not None or files or report is not None or target is not None:
        given = {"a destination": destination, "a report": report, "a target": target}
        said = ", ".join([*(name for name, value in given.items() if value is not None), *sorted(files)])
        raise CuelloError(f"got images in memory and {said}, which are of files: leave it out.")
    several = arrays_of(images)
    kinds = measured(way, [image for stack in several for image in some_images(stack)], each=each, tell=tell)
    channels = next((stack.shape[-1] for stack in several if stack.shape[-1] in (2, 4) and not has_alpha(stack)), 1)
    return SameKind(replace(way, kinds=kinds, channels=channels), UNITS)(images)


def measured(way: ChannelDenoiser, images: Sequence[np.ndarray], *, each: bool, tell: OnProgress) -> list[PlaneKind]:
    """Measure the kinds of noise in a set, and learn their transforms where more than quick work is wanted."""
    if each and (way.effort == "quick" or len(images) > 1):
        return []
    kinds = kinds_of(images, way.effort)
    if way.effort == "quick":
        return [blended(kind, way.network) for kind in kinds]
    return with_learned(kinds, way.network, progress=tell)


def some_images(stack: np.ndarray) -> np.ndarray:
    return stack[spread_evenly(len(stack), MOST_FILES)]


def check_effort(effort: str) -> None:
    """Raise CuelloError for what is no effort."""
    if effort not in EFFORTS:
        raise CuelloError(
            f"--effort: got {effort!r}, needed one of {', '.join(EFFORTS)}.{closest(effort, list(EFFORTS))}"
        )


def are_places(images: Any) -> bool:
    """Tell names of files from images."""
    if isinstance(images, list | tuple):
        return bool(images) and all(isinstance(one, str | Path) for one in images)
    return isinstance(images, str | Path)


def arrays_of(images: Any) -> list[np.ndarray]:
    """Give images in memory as arrays ``(N, H, W, C)``, to measure their noise; what is no image is left out here."""
    if isinstance(images, list | tuple):
        return [stack for one in images for stack in arrays_of(one)]
    if isinstance(images, Tensor):
        return [channels_first(images).permute(0, 2, 3, 1).cpu().numpy()]
    if isinstance(images, np.ndarray):
        return [as_stack(native(images))]
    if isinstance(images, Image.Image):
        pixels = np.asarray(images.convert("RGB") if images.mode in ("P", "PA", "CMYK") else images)
        return [pixels.reshape(1, *pixels.shape[:2], -1)]
    return []


def has_alpha(stack: np.ndarray) -> bool:
    """Tell transparency by its values: most of it hides nothing, or all."""
    last = stack[..., -1]
    return bool(np.isin(last, (0, full_scale(stack.dtype))).mean() > 0.5)


@lru_cache(maxsize=1)
def shipped(device: str = "cpu") -> Model:
    """Load the network that comes with the package and takes off white noise of a known level."""
    return load(BUNDLED["denoise"].path, device=device)


def denoise_files(
    way: ChannelDenoiser,
    source: Any,
    destination: Place | None,
    *,
    each: bool,
    tell: OnProgress,
    target: Place | None,
    files: dict[str, Any],
) -> Denoised:
    """Take the noise off files; see ``denoise``."""
    with hearing(tell):
        work = files_to_do(source, destination, **files)
        cleans = {} if target is None else cleans_of(work, target)
    paths = list(work.found.files)
    if work.outbox is not None:  # results are read again, to judge them
        work.outbox.keep = None if cleans else MOST
    kinds: Sequence[PlaneKind] = ()
    if work.jobs and (way.effort != "quick" or not each):
        tell(Progress("measuring", 0, len(paths), path=paths[0]))
        try:
            kinds = measured(way, images_of_files(paths), each=each, tell=tell)
        except KeyboardInterrupt:
            if way.effort == "quick":
                raise
            raise Interrupted(
                "stopped before a file was written: what was learned of the images so far is lost. Do it once more, or "
                "with --effort=quick, which learns nothing."
            ) from None
    channels: list[list[PlaneResult]] = []

    def one(path: Path, target: Path, noted: Noted) -> None:
        channels.append([])
        mine = replace(way, kinds=kinds, scores=SCORED, done=channels[-1])
        restore_file(mine, path, target=target, noted=noted, choice=UNITS)
        noted.range = None  # values were taken as they are

    applied = go_through(work, one, tell=tell)
    found = Denoised(**vars(applied), channels=channels, kinds=kinds)
    truths = [
        truth_of(cleans[Path(one.input)], Path(one.output), planes)
        if one.output is not None and one.input in cleans
        else None
        for one, planes in zip(found.files, channels, strict=True)
    ]
    return retold(replace(found, captures=score_of_captures(found), truths=truths if cleans else ()), spoken)
