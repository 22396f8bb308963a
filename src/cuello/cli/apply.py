"""`cuello apply`."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Own, OwnCode, Quiet, Threads
from cuello.core.errors import CuelloError

if TYPE_CHECKING:
    from cuello.inference.files import Applied

Source = Annotated[
    str,
    Parameter(
        name="IN",
        help="An image, a folder (with its subfolders), a TIFF stack, an .npy array, a pattern ('scans/*.png'), or a "
        "URL (s3://, gs://, https://); - is standard input.",
        allow_leading_hyphen=True,
    ),
]
Target = Annotated[
    str,
    Parameter(
        name="OUT",
        help="More of IN, and last: a file for a file, else a folder; - is standard output.",
        allow_leading_hyphen=True,
    ),
]
InPlace = Annotated[
    bool, Parameter(negative="", help="Replace the images of IN; each original stays beside it, as NAME.orig.")
]
KeepOriginals = Annotated[bool, Parameter(name="--keep-originals", help="With --in-place: keep the originals.")]
SkipExisting = Annotated[
    bool, Parameter(negative="", help="Leave finished results as they are, and go on with the others.")
]
ResultOverwrite = Annotated[bool, Parameter(negative="", help="Replace results that exist already.")]
ResultFormat = Annotated[
    str | None, Parameter(help="File format of the results: png, tif, jpg, …; by default that of each image.")
]
FileWorkers = Annotated[
    int | None,
    Parameter(
        help="Processes that share the files, of one thread each; by default as many as --threads, where there is "
        "enough to do and memory for them, else one with all threads. Results are the same."
    ),
]


FileCluster = Annotated[
    str | None,
    Parameter(
        name="--cluster",
        help="Where several files are restored: processes (of this machine), ray (a head on this machine), or "
        "ray://HOST:PORT (a cluster of machines, which all see IN, OUT and MODEL); --workers then limits the groups of "
        "files at once. Results are the same.",
    ),
]


# More than seven parameters: each is a flag.
def apply(
    model: Annotated[
        Path,
        Parameter(
            help="A run directory, a model.safetensors or exported .onnx file, a ready model's name (see `cuello "
            "models`), or "
            "hf://OWNER/NAME@COMMIT#sha256=CHECKSUM on the Hugging Face hub."
        ),
    ],
    source: Source,
    /,
    *more: Target,
    in_place: InPlace = False,
    keep_originals: KeepOriginals = True,
    skip_existing: SkipExisting = False,
    overwrite: ResultOverwrite = False,
    format: ResultFormat = None,
    sigma: Annotated[
        float | None,
        Parameter(
            help="Standard deviation of the noise in the images, in grey levels out of 255, for a network that is told "
            "it; of the blur, in pixels, for one that takes blur off (deblur). By default estimated, image by image."
        ),
    ] = None,
    quality: Annotated[
        float | None,
        Parameter(
            help="Quality with which the images were saved as JPEG, for a network that takes its artefacts off "
            "(dejpeg); by default judged from the pixels."
        ),
    ] = None,
    range: Annotated[
        str | None,
        Parameter(
            help="What stands for black and white in the files: LOW..HIGH in their own units (e.g. 0..4095), auto "
            "(from each file's values), or full (the type's full scale). By default the range that the network was "
            "trained with, or full; auto, with a note, where the values fill less than a tenth of the type's range.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    code: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    workers: FileWorkers = None,
    cluster: FileCluster = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Restore or enlarge images with a trained network: any size; names, bit depth, transparency kept.

    Originals are never touched: OUT must lie outside IN. To replace them on purpose, leave OUT out and add --in-place.
    Results are written whole or not at all: after a stop, --skip-existing goes on.

    A file that cannot be read is listed at the end and the rest goes on; the exit code is then 1.

    For example:

    cuello apply denoise noisy.png clean.png

    cuello apply upscale-x2 small/ large/

    cuello apply denoise scans/*.png clean/ --skip-existing

    cuello apply denoise scans/ clean/ --workers 4

    cuello apply denoise /shared/scans /shared/clean --cluster ray://first:6379

    cuello apply denoise scans/ --in-place

    cuello apply denoise - - --format png < noisy.tif > clean.png

    cuello apply denoise microscope.tif clean.tif --range 0..4095

    cuello apply runs/first/model.safetensors scans/ restored/

    cuello apply runs/denoise-denoise-s noisy/ clean/ --sigma 25
    """
    from cuello.cli.streams import check_streams, restored
    from cuello.core.own import allow
    from cuello.inference.files import apply as apply_to_files
    from cuello.inference.model import load
    from cuello.inference.told import told_level
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    sources, target = divided((source, *more), in_place, "cuello apply MODEL")
    check_streams(sources, target, json)
    use_threads(threads)
    allow(*own)
    loaded = load(model, code, str(choose_device(device)))
    settings: dict[str, Any] = {
        "overwrite": overwrite, "level": told_level(loaded, sigma, quality), "range": range,
        "keep_originals": keep_originals, "skip_existing": skip_existing, "workers": workers, "cluster": cluster,
    }  # fmt: skip
    with display(quiet or json) as shown:
        restore = partial(apply_to_files, loaded, progress=shown.work, **settings)
        applied = restored(sources, target, in_place=in_place, format=format, restore=restore)
    say(applied, target, json=json)
    if applied.failed:
        sys.exit(1)


def divided(places: Sequence[str], in_place: bool, command: str) -> tuple[list[str], str | None]:
    """Tell what is read from where results go, which is the last place; CuelloError where it is not named.

    command: what stands in front of the places.
    """
    for place in places:
        if place.startswith("-") and place != "-":
            raise CuelloError(
                f"there is no option {place}; see {command.removesuffix(' MODEL')} --help. A file of that name is "
                f"./{place}"
            )
    if in_place:
        return list(places), None
    if len(places) < 2:
        raise CuelloError(
            f"where do the results of {places[0]} go? Type: {command} {places[0]} OUT, or, to replace the "
            f"images, {command} {places[0]} --in-place"
        )
    return list(places[:-1]), places[-1]


def say(applied: "Applied", target: str | None, *, json: bool) -> None:
    """Say what became of the files; beside an image on standard output, on the other one."""
    from cuello.cli.render import print_json
    from cuello.cli.streams import DASH
    from cuello.core.files import printable

    if json:
        print_json(as_json(applied))
        return
    out = sys.stderr if target == DASH else sys.stdout
    for note in applied.notes:
        print(f"note: {printable(note)}", file=out)
    if target != DASH:
        where = applied.written[0] if len(applied.written) == 1 else target or "in place"
        existed = f", {len(applied.skipped)} existed already" if applied.skipped else ""
        print(f"{len(applied.written)} written{existed}: {where}")
    for _, problem in applied.failed:
        print(f"failed: {printable(problem)}", file=sys.stderr)


def as_json(applied: "Applied") -> dict[str, Any]:
    """Give what became of the files as plain values; sigma as the flag takes it."""
    return {
        "written": [str(path) for path in applied.written],
        "failed": [{"file": str(path), "problem": problem} for path, problem in applied.failed],
        "notes": applied.notes,
        "ranges": {str(path): str(levels) for path, levels in applied.ranges.items()},
        "skipped": [str(path) for path in applied.skipped],
        "files": [
            {
                "input": str(one.input),
                "output": None if one.output is None else str(one.output),
                "range": None if one.range is None else str(one.range),
                "sigma": None if one.level is None else round(255 * one.level, 3),
                "notes": list(one.notes),
                "reason": one.reason,
            }
            for one in applied.files
        ],
    }
