"""`cuello latent`: a folder with the pictures of a code, its arrays, and one page with all of them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.files import check_free, replacing
from cuello.core.lock import kept
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, Progress, listener
from cuello.core.settings import LatentSettings
from cuello.data.folders import check_outside
from cuello.inference.model import Model, load
from cuello.latent.images import MOST, Known, named_images, own_images
from cuello.latent.planes import grid_part, map_part, samples_part
from cuello.latent.relatives import invented_part, neighbours_part
from cuello.latent.view import CodePart, LatentView, NotApplicable, check_labels, check_settings
from cuello.latent.ways import interpolation_part, traversal_part
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table, write_page
from cuello.report.result import Result
from cuello.runs.directory import environment

PARTS: dict[str, Callable[[LatentView], CodePart]] = {
    "map": map_part,
    "grid": grid_part,
    "interpolation": interpolation_part,
    "samples": samples_part,
    "traversal": traversal_part,
    "neighbours": neighbours_part,
    "invented": invented_part,
}
"""The parts by the name of their picture, in their order."""
PAGE, ARRAYS = "latent.html", "latent.npz"
FILES = (PAGE, ARRAYS, *(f"{name}.png" for name in PARTS))
MOST_NUMBERS = 8_000_000
"""Numbers of all codes together, at most: of networks with large codes, fewer images are looked at."""
CONTENTS = {
    "codes": "the images' codes", "names": "the images' names", "labels": "positions in classes",
    "classes": "names of the labels", "points": "places on the map", "grid_images": "the grid, rows from the top",
    "grid_codes": "their codes", "grid_x": "places of its columns", "grid_y": "places of its rows",
    "interpolation_images": "one path per row", "interpolation_codes": "their codes",
    "interpolation_ends": "positions of the images at both ends", "sample_images": "samples",
    "sample_codes": "their codes", "traversal_images": "one number (or component) per row",
    "traversal_codes": "their codes", "traversal_values": "what it was set to",
    "attribute_images": "one pair of labels per row", "attribute_codes": "their codes",
    "neighbours": "positions of the nearest other images", "neighbour_distances": "distances of their codes",
    "invented_images": "new images", "invented_codes": "their codes",
    "invented_parents": "positions of the images each lies between",
    "invented_nearest": "position of the known image it is most like",
    "invented_distances": "distance from that one",
}  # fmt: skip
"""What latent.npz may hold, in words."""


@names_own
def make_latent(
    path: Path,
    settings: LatentSettings,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    network: Any = None,
    device: str = "cpu",
    progress: OnProgress | None = None,
) -> Result:
    """Look into the code of a trained network and write pictures, arrays and a page.

    path: a run directory, or a model.safetensors file (which needs ``settings.images`` and ``output``). output: the
    folder, by default RUN/latent; files that exist are replaced only with ``overwrite``. Raises CuelloError for a
    network without a code, and for what cannot be asked of these images.
    """
    model = load(path, network, device)
    model.check_latent()
    if not path.is_dir() and (settings.images is None or output is None):
        raise CuelloError(f"{path} is a file without a run: name the images to look at, and a folder with --output.")
    check_settings(settings)
    folder = output if output is not None else path / "latent"
    if settings.images is not None:
        check_outside(settings.images, folder)
    with kept(folder, "cuello latent"):
        check_free(folder, FILES, overwrite)
        return made(model, path, folder, settings=settings, progress=listener(progress))


def made(model: Model, path: Path, folder: Path, *, settings: LatentSettings, progress: OnProgress) -> Result:
    """Look into the code, and write what was found into a folder that is kept to this call."""
    keep = [name for name in (settings.start, settings.end) if name is not None]
    most = min(MOST, max(50, MOST_NUMBERS // numbers_of(model)))
    if settings.images is None:
        known = own_images(path, most, keep, progress=progress)
    else:
        known = named_images(model, settings.images, most, keep=keep, progress=progress)
    check_labels(settings, known)
    view = LatentView(model, known, model.encode(known.x).cpu().numpy(), settings=settings)
    parts, left_out = look(view, progress)
    written = save(folder, view, parts, left_out=left_out, repeat=command(path, settings), progress=progress)
    return result_of(view, folder, written, left_out=left_out)


def result_of(view: LatentView, folder: Path, written: Sequence[str], left_out: Mapping[str, str]) -> Result:
    count, on_map = counted(view.known), view.projection
    values = {
        "folder": str(folder), "written": written, "left_out": left_out, "images": len(view.known),
        "of": view.known.total, "numbers": view.numbers,
    }  # fmt: skip
    values |= {"skipped": list(view.known.skipped)} if view.known.skipped else {}
    values |= {"map": {"method": on_map.method, "share": on_map.share}} if on_map and on_map.method else {}
    shown = [
        f"codes of {view.numbers:,} number{'s' if view.numbers > 1 else ''}, of {count} images",
        *([f"map: {view.mapped}"] if on_map and on_map.method else []),
        *(f"left out: {name}: {reason}" for name, reason in left_out.items()),
        *(f"left out: {reason}" for reason in view.known.skipped),
        f"written: {', '.join(written)}",
        f"report: {folder / PAGE}",
    ]
    return Result(shown[0], values, rows=[], shown=shown)


def counted(known: Known) -> str:
    return f"{len(known):,}" if len(known) == known.total else f"{len(known):,} of {known.total:,}"


def numbers_of(model: Model) -> int:
    """Count the numbers of a code; where that depends on the image's size, for one of 64×64."""
    shape = model.latent_shape
    if shape is None:
        side = -(-64 // model.network.stride) * model.network.stride
        shape = model.encode(np.zeros((side, side, model.channels), np.float32)).shape[1:]
    return int(np.prod(shape))


def look(view: LatentView, progress: OnProgress) -> tuple[list[CodePart], dict[str, str]]:
    """Make the parts that make sense here, and say why the others do not."""
    parts, left_out = [], {}
    for done, (name, part) in enumerate(PARTS.items(), 1):
        try:
            parts.append(part(view))
        except NotApplicable as reason:
            left_out[name] = str(reason)
        progress(Progress("looking into the code", done, len(PARTS)))
    return parts, left_out


def save(
    folder: Path,
    view: LatentView,
    parts: Sequence[CodePart],
    *,
    left_out: Mapping[str, str],
    repeat: str,
    progress: OnProgress,
) -> list[str]:
    """Write the pictures, latent.npz and latent.html, and name the files; what was there before is removed."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    sections = []
    for done, part in enumerate(parts, 1):
        themes = save_both(folder, part.name, part.draw)
        sections.append(Section(part.title, [part.text], [Picture(themes, part.title)]))
        progress(Progress("drawing", done, len(parts)))
    known = view.known
    arrays = {"codes": view.codes, "names": np.array(known.names, dtype=str)}
    if known.labels is not None:
        arrays |= {"labels": known.labels, "classes": np.array(known.classes, dtype=str)}
    for part in parts:
        arrays |= part.arrays
    with replacing(folder / ARRAYS) as temporary:
        np.savez_compressed(temporary, **cast("Any", arrays))
    without = [*(f"{name}: {reason}." for name, reason in left_out.items()), *view.known.skipped]
    if without:
        sections.append(Section("Left out", without))
    rows = [[name, "×".join(map(str, array.shape)), CONTENTS[name]] for name, array in arrays.items()]
    note = "numpy.load reads it; images are height × width × channels last, 0 to 1; positions count from 0."
    table = Table(["name", "shape", "what it is"], rows, note)
    sections.append(Section(f"Arrays in {ARRAYS}", parts=[table], folded=True))
    sections.append(Section("Do it again", [repeat], folded=True))
    prior = "no prior" if view.model.prior is None else f"{view.model.prior} prior"
    code = f"{view.numbers:,} number{'s' if view.numbers > 1 else ''} per image, {prior}"
    subtitle = f"{view.model.artefact.architecture.name} · {code} · {counted(known)} {known.what}"
    write_page(folder / PAGE, "What is in the code", subtitle, verdict="", sections=sections, environment=environment())
    return [*(f"{part.name}.png" for part in parts), ARRAYS, PAGE]


def command(path: Path, settings: LatentSettings) -> str:
    """Give what to type to make the same again."""
    words = ["cuello", "latent", str(path)]
    for field in fields(settings):
        value, flag = getattr(settings, field.name), {"start": "from", "end": "to"}.get(field.name, field.name)
        if value == field.default:
            continue
        if flag == "images":
            words.append(value)
        elif flag == "thumbnails":
            words.append("--images" if value else "--labels")
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)
