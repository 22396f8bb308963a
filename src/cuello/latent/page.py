"""`cuello latent`: a folder with the pictures of a code, its arrays, and one page with all of them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.files import check_free, replacing
from cuello.inference.model import Model, load
from cuello.jobs.images.evaluation import Progress
from cuello.latent.images import MOST, named_images, own_images
from cuello.latent.maps import check_named
from cuello.latent.planes import grid_part, map_part, samples_part
from cuello.latent.relatives import invented_part, neighbours_part
from cuello.latent.subject import Missing, Part, Subject, Wanted, check_labels, check_wanted
from cuello.latent.ways import interpolation_part, traversal_part
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table, write_page
from cuello.runs.directory import environment

PARTS: dict[str, Callable[[Subject], Part]] = {
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
    "codes": "the images' codes",
    "names": "the images' names",
    "labels": "positions in classes",
    "classes": "names of the labels",
    "points": "places on the map",
    "grid_images": "the grid, rows from the top",
    "grid_codes": "their codes",
    "grid_x": "places of its columns",
    "grid_y": "places of its rows",
    "interpolation_images": "a path a row",
    "interpolation_codes": "their codes",
    "interpolation_ends": "positions of the images at both ends",
    "sample_images": "samples",
    "sample_codes": "their codes",
    "traversal_images": "a number (or component) a row",
    "traversal_codes": "their codes",
    "traversal_values": "what it was set to",
    "attribute_images": "a pair of labels a row",
    "attribute_codes": "their codes",
    "neighbours": "positions of the nearest other images",
    "neighbour_distances": "distances of their codes",
    "invented_images": "new images",
    "invented_codes": "their codes",
    "invented_parents": "positions of the images each lies between",
    "invented_nearest": "position of the known image it is most like",
    "invented_distances": "distance from that one",
}
"""What latent.npz may hold, in words."""


@dataclass(frozen=True)
class Made:
    """What was made: the folder, its files, what was left out and why, how many images of how many were looked at."""

    folder: Path
    written: Sequence[str]
    left_out: Mapping[str, str]
    images: int
    total: int
    numbers: int


def make_latent(
    path: Path,
    images: str | None,
    wanted: Wanted,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    network: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Made:
    """Look into the code of a trained network and write pictures, arrays and a page.

    path: a run directory, or a model.safetensors file (which needs ``images`` and ``output``). images: a folder, a file
    or a data set; by default the run's own test images. output: the folder, by default RUN/latent; files that exist are
    replaced only with ``overwrite``. Raises CuelloError for a network without a code, and for what cannot be asked of
    these images.
    """
    model = load(path, network, device)
    model.check_latent()
    if not path.is_dir() and (images is None or output is None):
        raise CuelloError(f"{path} is a file without a run: name the images to look at, and a folder with --output.")
    check_wanted(wanted)
    numbers = numbers_of(model)
    check_named(wanted.method, numbers)
    folder = output if output is not None else path / "latent"
    check_free(folder, FILES, overwrite)
    keep = [name for name in (wanted.start, wanted.end) if name is not None]
    most = min(MOST, max(50, MOST_NUMBERS // numbers))

    def reading(done: int, total: int) -> None:
        if progress:
            progress("reading images", done, total)

    if images is None:
        known = own_images(path, most, keep, reading)
    else:
        known = named_images(model, images, most, keep, reading)
    check_labels(wanted, known)
    subject = Subject(model, known, model.encode(known.x).cpu().numpy(), wanted)
    found, left_out = look(subject, progress)
    written = save(folder, subject, found, left_out, command(path, images, wanted), progress)
    return Made(folder, written, left_out, len(known), known.total, subject.numbers)


def numbers_of(model: Model) -> int:
    """Return how many numbers a code has; where that depends on the image's size, for one of 64×64."""
    shape = model.latent_shape
    if shape is None:
        side = -(-64 // int(model.network.stride)) * int(model.network.stride)  # type: ignore[arg-type]
        shape = model.encode(np.zeros((side, side, model.channels), np.float32)).shape[1:]
    return int(np.prod(shape))


def look(subject: Subject, progress: Progress | None) -> tuple[list[Part], dict[str, str]]:
    """Return the parts that make sense here, and why the others do not."""
    found, left_out = [], {}
    for done, (name, part) in enumerate(PARTS.items(), 1):
        try:
            found.append(part(subject))
        except Missing as reason:
            left_out[name] = str(reason)
        if progress:
            progress("looking into the code", done, len(PARTS))
    return found, left_out


def save(
    folder: Path,
    subject: Subject,
    parts: Sequence[Part],
    left_out: Mapping[str, str],
    repeat: str,
    progress: Progress | None,
) -> list[str]:
    """Write the pictures, latent.npz and latent.html, and return the files' names; what was there before is removed."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    pictures = {}
    for done, part in enumerate(parts, 1):
        pictures[part.name] = save_both(folder, part.name, part.draw)
        if progress:
            progress("drawing", done, len(parts))
    arrays = arrays_of(subject, parts)
    with replacing(folder / ARRAYS) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    sections = [
        Section(part.title, [part.text], [Picture(pictures[part.name], part.title)]) for part in parts
    ]  # fmt: skip
    if left_out:
        sections.append(Section("Left out", [f"{name}: {reason}." for name, reason in left_out.items()]))
    sections.append(Section(f"Arrays in {ARRAYS}", parts=[array_table(arrays)], folded=True))
    sections.append(Section("Do it again", [repeat], folded=True))
    write_page(folder / PAGE, *headings(subject), "", sections, environment())
    return [*(f"{part.name}.png" for part in parts), ARRAYS, PAGE]


def arrays_of(subject: Subject, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Return what latent.npz holds, by name: numbers and texts, no objects."""
    known = subject.known
    found = {"codes": subject.codes, "names": np.array(known.names, dtype=str)}
    if known.labels is not None:
        found |= {"labels": known.labels, "classes": np.array(known.classes, dtype=str)}
    for part in parts:
        found |= part.arrays
    return found


def array_table(arrays: Mapping[str, np.ndarray]) -> Table:
    """Return a table of the arrays: names, shapes, what they are."""
    rows = [[name, "×".join(map(str, array.shape)), CONTENTS[name]] for name, array in arrays.items()]
    note = "numpy.load reads it; images are height × width × channels last, 0 to 1; positions count from 0."
    return Table(["name", "shape", "what it is"], rows, note)


def headings(subject: Subject) -> tuple[str, str]:
    """Return the page's title and the line below it."""
    known, model = subject.known, subject.model
    prior = {None: "no prior", "normal": "normal prior"}.get(model.prior, f"{model.prior} prior")
    count = f"{len(known):,}" if len(known) == known.total else f"{len(known):,} of {known.total:,}"
    code = f"{subject.numbers:,} number{'s' if subject.numbers > 1 else ''} an image"
    return "What is in the code", f"{model.artefact.architecture.name} · {code}, {prior} · {count} {known.what}"


def command(path: Path, images: str | None, wanted: Wanted) -> str:
    """Return what to type to make the same again."""
    words = ["cuello", "latent", str(path), *([images] if images is not None else [])]
    usual = Wanted()
    flags = {
        "method": wanted.method, "from": wanted.start, "to": wanted.end, "steps": wanted.steps,
        "samples": wanted.samples, "path": wanted.path, "seed": wanted.seed,
    }  # fmt: skip
    defaults = {"steps": usual.steps, "samples": usual.samples, "path": usual.path, "seed": usual.seed}
    for flag, value in flags.items():
        if value is not None and value != defaults.get(flag):
            words += [f"--{flag}", str(value)]
    if wanted.thumbnails is not None:
        words.append("--images" if wanted.thumbnails else "--labels")
    return shlex.join(words)
