"""A trained network in the form that a file's ending asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.core.errors import CuelloError
from cuello.core.files import check_new, make_folder

if TYPE_CHECKING:
    from cuello.inference.model import Model

FORMS: Mapping[str, str] = {
    ".onnx": "cuello.exporting.onnx:write_onnx",
    ".html": "cuello.exporting.page.export:write_model_page",
}
"""Endings, and what writes a model to such a path: a function of the model and the path."""
NAMED: Mapping[str, str] = {
    "hub": "cuello.exporting.hub:write_hub", "bioimage": "cuello.exporting.bioimage:write_bioimage",
}  # fmt: skip
"""The same for forms that are asked for by their names."""


@dataclass(frozen=True)
class Exported:
    """What was written: the file or folder, its bytes, and what its author should know."""

    path: Path
    size: int
    notes: tuple[str, ...] = ()


def check_target(target: Path, overwrite: bool, form: str = "") -> None:
    """Raise CuelloError for an ending that is not known, or what is there already: before any work. form: of NAMED."""
    if form == "hub":
        check_empty(target)
        return
    if form == "bioimage" and target.suffix.lower() != ".zip":
        raise CuelloError(f"{target}: a package for BioImage.IO is a zip. Name it, e.g. {target.stem or 'model'}.zip")
    if not form and target.suffix.lower() not in FORMS:
        raise CuelloError(
            f"{target}: got the ending {target.suffix or '(none)'!r}, needed {' or '.join(FORMS)}.{hint(target)}"
        )
    check_new(target, overwrite)


def check_empty(folder: Path) -> None:
    """Raise CuelloError where something lies at a place for a new folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise CuelloError(f"{folder} {what}: nothing was written. Name a new folder, or remove what lies there.")


def hint(target: Path) -> str:
    """Say which forms have no ending of their own."""
    if target.suffix.lower() == ".zip":
        return " A package for BioImage.IO: add --bioimage=True."
    return "" if target.suffix else " A folder for the Hugging Face hub: add --hub=True."


def export(model: "Model", target: str | Path, overwrite: bool = False, *, form: str = "") -> Exported:
    """Write a network as the ending of ``target`` asks: .onnx, or .html, one page that works by itself.

    form: "hub", a folder for the Hugging Face hub, or "bioimage", a zip for programs that run BioImage.IO models; by
    default the ending says it. Raises CuelloError for other endings, a file that exists without ``overwrite``, and a
    network that cannot be written so.
    """
    path = Path(target).expanduser()
    check_target(path, overwrite, form)
    make_folder(path.absolute().parent)
    module, _, name = (NAMED[form] if form else FORMS[path.suffix.lower()]).partition(":")
    write: Callable[[Model, Path], Sequence[str] | None] = getattr(import_module(module), name)
    notes = write(model, path) or ()
    size = sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size
    return Exported(path, size, tuple(notes))
