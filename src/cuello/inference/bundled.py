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
    """A model's name and what it does. Its file says how it was trained, on what, and what it scores."""

    name: str
    summary: str

    @property
    def path(self) -> Path:
        """Where its file lies."""
        return Path(str(files("cuello") / "weights" / f"{self.name}{SUFFIX}"))


BUNDLED: Registry[BundledSpec] = Registry(
    "ready model",
    [
        BundledSpec("denoise", "removes Gaussian noise of any strength, σ 0 to 75"),
        BundledSpec("upscale-x2", "twice as many pixels per side"),
        BundledSpec("upscale-x4", "four times as many pixels per side"),
    ],
)


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
