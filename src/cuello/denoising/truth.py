"""What clean images tell of denoised ones, beside the score that was made without them; used for this alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError, first_few
from cuello.data.remote.address import is_url
from cuello.denoising.planes import images_of
from cuello.denoising.restorer import PlaneResult
from cuello.inference.files import FilesToDo
from cuello.inference.targets import Place, find
from cuello.scoring.metrics import PERFECT


@dataclass(frozen=True)
class Truth:
    """How near a file is to its clean image, in dB, all its pages and channels together.

    before, after: PSNR of the noisy image and of the result. peak: that of the PSNR, 255 for 8 bits, else from the
    clean image's least value to its greatest. score: by how many dB the error was said to be smaller without the clean
    image, the mean over the channels that were scored; None where none was. scored: by how many it truly is, in them.
    """

    before: float
    after: float
    peak: float
    score: float | None = None
    scored: float | None = None

    @property
    def off(self) -> float | None:
        """By how many dB the score promised too much; below 0, too little."""
        return None if self.score is None or self.scored is None else self.score - self.scored

    def __str__(self) -> str:
        """Say it in a few words."""
        said = f"PSNR {self.before:.2f} → {self.after:.2f} dB by the clean image (peak {self.peak:g})"
        return said if self.off is None else f"{said}, the score was off by {self.off:+.2f} dB"


@dataclass(frozen=True)
class CleanImage:
    """The clean image of a file. path: where it is. noise: mean squared error of each channel of the noisy file."""

    path: Path
    noise: Sequence[float]


def cleans_of(work: FilesToDo, target: Place) -> dict[Path, CleanImage]:
    """Find the clean image of every file that is to be done, and compare their sizes.

    target: a file for a file, else a folder with a clean image of the same name for each; the endings may differ.
    Raises CuelloError where a name or a size has no match. Clean images that are left over are noted.
    """
    place = target if is_url(target) else Path(target).expanduser()
    found = find([place])
    if found.single and work.found.single:
        partners = dict.fromkeys((path for path, _ in work.jobs), next(iter(found.files)))
    elif found.single:
        raise CuelloError(f"--target={target}: got a file, needed a folder with the clean image of every image in IN.")
    else:
        partners = partners_of(work, found.files, place)
        if left := len(found.files) - len(set(partners.values())):
            work.applied.notes.append(f"{left} of {len(found.files)} images in {place} are of no image that was done")
    results = {one.target.resolve() for one in work.jobs}
    for path, clean in partners.items():
        if clean.resolve() in results | {path.resolve()}:
            raise CuelloError(f"--target: {clean} is the noisy image itself, or would be replaced by a result.")
    cleans = {}
    for path, clean in partners.items():
        try:
            noisy = whole(path)
        except (CuelloError, ValueError, OSError):  # restoring it says what is wrong
            continue
        cleans[path] = CleanImage(clean, errors(noisy, whole(clean), (path, clean)))
    return cleans


def partners_of(work: FilesToDo, files: Mapping[Path, Path], folder: Place) -> dict[Path, Path]:
    """Match files by their names without endings; CuelloError where one has no partner, or two."""
    by_name: dict[Path, list[Path]] = {}
    for path, name in files.items():
        by_name.setdefault(name.with_suffix(""), []).append(path)
    names = {path: Path(work.found.files[path]).with_suffix("") for path, _ in work.jobs}
    missing = [str(work.found.files[path]) for path, name in names.items() if name not in by_name]
    if missing:
        raise CuelloError(
            f"{len(missing)} of {len(names)} images have no partner of the same name in {folder}: "
            f"{first_few(missing, 5)}. The clean image of a.png is called a.png too (or a.tif …)."
        )
    for name in names.values():
        if len(by_name[name]) > 1:
            raise CuelloError(
                f"{first_few(map(str, by_name[name]))} have the same name without ending, so that it is not clear "
                "which is the clean image. Leave one there."
            )
    return {path: by_name[name][0] for path, name in names.items()}


def whole(path: Path) -> list[np.ndarray]:
    """Read every page of a file, ``(H, W, C)`` each."""
    return list(images_of(path, range))


def errors(images: Sequence[np.ndarray], clean: Sequence[np.ndarray], paths: tuple[Path, Path]) -> list[float]:
    """Give the mean squared error of each page and channel; CuelloError where the sizes differ."""
    shapes, needed = ([one.shape for one in several] for several in (images, clean))
    if shapes != needed:
        raise CuelloError(
            f"--target: {paths[0]} has {described(shapes)}, and its clean image {paths[1]} {described(needed)}: needed "
            "the same size, channels and pages."
        )
    return [
        float(np.nanmean((one[:, :, channel].astype(float) - two[:, :, channel]) ** 2))
        for one, two in zip(images, clean, strict=True)
        for channel in range(one.shape[2])
    ]


def described(shapes: Sequence[tuple[int, ...]]) -> str:
    """Write sizes as width by height.

    >>> described([(480, 640, 3)] * 2)
    '2 pages of 640x480 pixels, 3 channels'
    """
    different = [f"{width}x{height} pixels, {depth} channel{'s'[: depth > 1]}" for height, width, depth in shapes]
    pages = f"{len(shapes)} pages of " if len(shapes) > 1 else ""
    return f"{pages}{' and '.join(dict.fromkeys(different))}"


def truth_of(clean: CleanImage, result: Path, done: Sequence[PlaneResult]) -> Truth:
    """Measure a result by its clean image."""
    true = whole(clean.path)
    left = errors(whole(result), true, (result, clean.path))
    eight = all(one.dtype == np.uint8 for one in true)
    peak = 255.0 if eight else max(float(np.nanmax(one)) for one in true) - min(float(np.nanmin(one)) for one in true)
    peak = peak or 1.0
    score = scored = None
    if len(done) == len(left):
        pairs = [
            (one.score.gain, float(10 * np.log10(before / after)))
            for one, before, after in zip(done, clean.noise, left, strict=True)
            if one.score is not None and one.score.known and before and after
        ]
        score, scored = map(float, np.mean(pairs, axis=0)) if pairs else (None, None)
    before, after = (psnr(float(np.mean(several)), peak) for several in (clean.noise, left))
    return Truth(before, after, peak, score=score, scored=scored)


def psnr(error: float, peak: float) -> float:
    """Give the peak signal-to-noise ratio of a mean squared error, in dB; 100 where there is none."""
    return float(-10 * np.log10(max(error / peak**2, PERFECT)))
