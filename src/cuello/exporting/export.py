"""A trained network in the form that a file's ending asks for."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cuello.core.errors import CuelloError, worded
from cuello.core.files import check_here, check_new, make_folder
from cuello.core.spoken import spoken
from cuello.data.remote.address import is_url
from cuello.data.remote.send import outbox_for
from cuello.runs.directory import Run

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
PRECISIONS: Mapping[str, str] = {
    "float32": "as in training", "fp16": "weights of half the size", "int8": "layers in whole numbers of 8 bits",
}  # fmt: skip
"""Precisions of an .onnx file, and what each is."""
DTYPES: Mapping[str, str] = {
    "float32": "any unit, which white says", "uint8": "8 bits, 0 to 255", "uint16": "16 bits, 0 to 65535",
}  # fmt: skip
"""Types of the images that go into an .onnx file and come out of it."""


@dataclass(frozen=True)
class Written:
    """What a form says of what it wrote: notes, what is to be warned of, and what was measured, as JSON has it."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exported:
    """What was written: the file or folder, or its URL; its bytes, what its author should know, what was measured."""

    path: str | Path
    size: int
    notes: tuple[str, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)


def check_numbers(target: Path, form: str, *, precision: str, dtype: str) -> None:
    """Raise CuelloError for a precision or type that there is not, or the target's form has not: before any work."""
    for name, value, known in (("precision", precision, PRECISIONS), ("dtype", dtype, DTYPES)):
        if value not in known:
            raise CuelloError(f"--{name}: got {value!r}, needed {' or '.join(map(repr, known))}.")
        if value != "float32" and (form or target.suffix.lower() != ".onnx"):
            what = WORDS.get(form or target.suffix.lower(), "this form")
            raise CuelloError(
                f"got --{name}={value} for {target}, but {what} is written in float32 alone: leave it out. An .onnx "
                "file can have it."
            )


WORDS: Mapping[str, str] = {
    "hub": "a folder for the hub", "bioimage": "a BioImage.IO package", ".html": "a page",
}  # fmt: skip


def check_target(target: Path, overwrite: bool, form: str = "") -> None:
    """Raise CuelloError for an ending that is not known, or what is there already: before any work. form: of NAMED."""
    check_here(target)
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


def export(
    model: "Model | Run | str | PathLike[str]",
    target: str | PathLike[str],
    overwrite: bool = False,
    *,
    form: str = "",
    network: Any = None,
    precision: str = "float32",
    dtype: str = "float32",
) -> Exported:
    """Write a network for programs other than Cuello, as the ending of ``target`` asks: .onnx, or .html, one page.

    model: a Model, a Run, a run directory, a file, or a ready model's name. target: a place on this machine, or a URL
    (``s3://``, ``gs://``, ``memory://``; extra ``remote``). form: "hub", a folder for the Hugging Face
    hub, or "bioimage", a zip for programs that run BioImage.IO models; by default the ending says it. network: as for
    `cuello.load`. precision: of an .onnx file: "float32", "fp16" (weights of half the size) or "int8" (layers in whole
    numbers of 8 bits); what it costs is measured. dtype: of the images of an .onnx file: "float32", or "uint8" or
    "uint16", which need no scaling: it is inside, with rounding and cutting. Returns what was written: ``path``,
    ``size`` in bytes, ``notes``, as how far from torch's the results of ONNX Runtime are, and ``measured``, e.g. the
    cost in dB. Warns where a precision costs more than 0.5 dB, or changes more than 1% of the classes. Raises
    CuelloError for other endings, a precision or type that the form has not, a file that
    exists without ``overwrite``, and a network that cannot be written so.

    >>> import cuello, tempfile
    >>> written = cuello.export("upscale-x2", tempfile.mkdtemp() + "/larger.onnx")
    >>> written.path.name, written.size > 1000
    ('larger.onnx', True)
    """
    if is_url(target):
        options = {"form": form, "network": network, "precision": precision, "dtype": dtype}
        return export_to_url(model, target, overwrite, **options)
    path = Path(target).expanduser()
    if form not in ("", *NAMED):
        raise CuelloError(f"there is no form {form!r}: needed {' or '.join(map(repr, NAMED))}, or none.")
    check_target(path, overwrite, form)
    check_numbers(path, form, precision=precision, dtype=dtype)
    if isinstance(model, Run | str | PathLike):
        from cuello.inference.model import load

        model = load(model.path if isinstance(model, Run) else model, network)
    if model.path is not None and model.path.suffix.lower() == ".onnx":
        raise CuelloError(f"{model.path} is an exported network already: name the run or file that it was made from.")
    make_folder(path.absolute().parent)
    module, _, name = (NAMED[form] if form else FORMS[path.suffix.lower()]).partition(":")
    write: Callable[..., Sequence[str] | Written | None] = getattr(import_module(module), name)
    numbers: dict[str, Any] = {"precision": precision, "dtype": dtype}
    if path.suffix.lower() == ".onnx" and not form:
        numbers["overwrite"] = overwrite
    found = write(model, path, **{name: value for name, value in numbers.items() if value != "float32"})
    said = found if isinstance(found, Written) else Written(tuple(found or ()))
    for text in said.warnings:
        warnings.warn(worded(text), stacklevel=2)
    size = sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size
    return Exported(path, size, tuple(map(worded, said.notes)), measured=said.measured)


def export_to_url(model: Any, target: str | PathLike[str], overwrite: bool, **options: Any) -> Exported:
    """Write a network here, and put what was written to a URL; options: as for ``export``.

    Raises CuelloError where something is there without ``overwrite``, before the work where its name is known by then.
    """
    outbox = outbox_for(target)
    place = Path(outbox.place)

    def check_unused(files: Sequence[Path]) -> None:
        there = [] if overwrite else sorted(outbox.there(files))
        if there or place.is_dir():
            what = spoken(str(there[0] if there else place))
            raise CuelloError(f"{what} exists already: replace it with --overwrite=True, or choose another name.")

    check_unused([place])
    written = export(model, place, **options)
    files = sorted(one for one in outbox.folder.rglob("*") if one.is_file())
    if not place.is_dir():
        check_unused(files)
    for file in files:
        outbox.send(file)
    return replace(written, path=spoken(str(written.path)), notes=tuple(map(spoken, written.notes)))
