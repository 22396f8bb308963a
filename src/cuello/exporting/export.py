"""A trained network in the form that a file's ending asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.core.errors import CuelloError
from cuello.core.files import check_new, make_folder

if TYPE_CHECKING:
    from cuello.inference.model import Model

FORMS: Mapping[str, str] = {".html": "cuello.exporting.page.export:write_model_page"}
"""Endings, and what writes a model to such a path: a function of the model and the path."""


@dataclass(frozen=True)
class Exported:
    """What was written: the file, and its bytes."""

    path: Path
    size: int


def check_target(target: Path, overwrite: bool) -> None:
    """Raise CuelloError for an ending that is not known, or a file that is there already: before any work."""
    if target.suffix.lower() not in FORMS:
        raise CuelloError(f"{target}: got the ending {target.suffix or '(none)'!r}, needed {' or '.join(FORMS)}.")
    check_new(target, overwrite)


def export(model: "Model", target: str | Path, overwrite: bool = False) -> Exported:
    """Write a network as the ending of ``target`` asks: .html, one page that works without a network.

    Raises CuelloError for other endings, a file that exists without ``overwrite``, and a network that cannot be
    written so.
    """
    path = Path(target).expanduser()
    check_target(path, overwrite)
    make_folder(path.parent)
    module, _, name = FORMS[path.suffix.lower()].partition(":")
    write: Callable[[Model, Path], None] = getattr(import_module(module), name)
    write(model, path)
    return Exported(path, path.stat().st_size)
