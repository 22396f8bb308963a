"""Models that come with the package, ready to use: small, trained on photographs, what they score in each file."""

from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path

from cuello.core.errors import CuelloError, closest
from cuello.core.files import check_here
from cuello.core.registry import Registry
from cuello.inference.hub import fetched, is_on_hub

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class BundledSpec:
    """A model's name, what it does, and what it is not for (after "it is not for"). Its file says how it was trained,
    on what, by whom, and what it scores.
    """

    name: str
    summary: str
    not_for: str

    @property
    def path(self) -> Path:
        """Where its file lies."""
        return Path(str(files("cuello") / "weights" / f"{self.name}{SUFFIX}"))


REAL_NOISE = "real noise, uneven or shared by neighbours (cuello denoise)"
UNCLEAN = "noise, blur, JPEG blocks, which grow too; details that must be true"
CLEAN = "clean and sharp images, which it smooths; details that must be true"
NEVER_JPEG = "noise and blur; images that were never JPEG"

SPECS = [
    BundledSpec("denoise", "removes Gaussian noise of any strength, σ 0 to 75", REAL_NOISE),
    BundledSpec("denoise-colour", "removes Gaussian noise of any strength, colours together", REAL_NOISE),
    BundledSpec("upscale-x2", "twice as many pixels per side", UNCLEAN),
    BundledSpec("upscale-x3", "three times as many pixels per side", UNCLEAN),
    BundledSpec("upscale-x4", "four times as many pixels per side", UNCLEAN),
    BundledSpec("upscale-x2-colour", "twice as many pixels per side, colours in one pass", UNCLEAN),
    BundledSpec("upscale-x3-colour", "three times as many pixels per side, colours in one pass", UNCLEAN),
    BundledSpec("upscale-x4-colour", "four times as many pixels per side, colours in one pass", UNCLEAN),
    BundledSpec("upscale-real-x2", "twice as many, of images with slight blur, noise and JPEG", CLEAN),
    BundledSpec("upscale-real-x4", "four times as many, of images with slight blur, noise and JPEG", CLEAN),
    BundledSpec("dejpeg", "removes JPEG's blocks and ringing, any quality", NEVER_JPEG),
    BundledSpec("dejpeg-colour", "removes JPEG's blocks, ringing and false colours, any quality", NEVER_JPEG),
    BundledSpec("impulses", "replaces salt and pepper, dead and hot pixels, 1 to 90% of all",
                "noise of every pixel, such as Gaussian (denoise)"),
    BundledSpec("deblur", "sharpens what a Gaussian blur of σ 0.5 to 2.5 made soft",
                "motion blur, stronger blur; images with noise, which grows"),
]  # fmt: skip
"""What each model is for; a model is one from when ``benchmarks/bundle.py`` has written its file."""

BUNDLED: Registry[BundledSpec] = Registry("ready model", [spec for spec in SPECS if spec.path.is_file()])
"""The models that are there."""


def ready_spec(path: Path | None) -> BundledSpec | None:
    """Return the ready model whose file ``path`` is; None where it is another's."""
    return next((spec for spec in BUNDLED if spec.path == path), None)


def located(path: str | PathLike[str]) -> Path:
    """Return the path of a model: of a run directory or a file, of the ready model of that name, or of one on the hub.

    What is there goes first: a run directory or file called "denoise" in the working directory is taken for what it
    is. Raises CuelloError where there is nothing, with the ready models.

    >>> located("upscale-x2").name
    'upscale-x2.safetensors'
    """
    if is_on_hub(path):
        return fetched(path)
    found = Path(path).expanduser()
    is_run = found.is_dir() and any(found.glob("*.safetensors"))
    if found.is_file() or is_run:
        return found
    if str(path) in BUNDLED:
        return BUNDLED[str(path)].path
    if found.exists():
        return found  # a folder without a model: whoever reads it says what is missing
    check_here(found)
    raise CuelloError(
        f"there is no file {found}, and no ready model of that name.{closest(str(path), BUNDLED.names())} "
        f"Ready to use: {', '.join(BUNDLED.names())}."
    )
