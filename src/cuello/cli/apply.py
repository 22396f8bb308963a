"""`cuello apply`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Own, OwnCode, Quiet, Threads


# More than seven parameters: each is a flag.
def apply(
    model: Annotated[
        Path,
        Parameter(help="A run directory, a model.safetensors file, or a ready model's name (see `cuello models`)."),
    ],
    source: Annotated[Path, Parameter(name="IN", help="An image, a folder (with its subfolders) or an .npy array.")],
    destination: Annotated[Path, Parameter(name="OUT", help="A file for a file, a folder for a folder.")],
    /,
    *,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace results that exist already.")] = False,
    sigma: Annotated[
        float | None,
        Parameter(
            help="Standard deviation of the noise in the images, in grey levels out of 255, for a network that is told "
            "it; by default estimated, image by image."
        ),
    ] = None,
    range: Annotated[
        str | None,
        Parameter(
            help="What stands for black and white in the files: LOW..HIGH in their own units (e.g. 0..4095), auto "
            "(from each file's values), or full (the type's full scale). By default the range that the network was "
            "trained with, or full; auto where the values fill less than a tenth of the type's, which is said.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    code: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Restore or enlarge images with a trained network: any size, in tiles, names, bit depth and transparency kept.

    A file that cannot be read is listed at the end and the rest goes on; the exit code is then 1.

    For example:

    cuello apply denoise noisy.png clean.png

    cuello apply upscale-x2 small/ large/

    cuello apply runs/first noisy.png clean.png

    cuello apply denoise microscope.tif clean.tif --range 0..4095

    cuello apply runs/first/model.safetensors scans/ restored/

    cuello apply runs/upscale-up-s small/ large/

    cuello apply runs/denoise-denoise-s noisy/ clean/ --sigma 25
    """
    from cuello.cli.render import print_json
    from cuello.core.files import printable
    from cuello.core.own import allow
    from cuello.inference.files import apply as apply_to_files
    from cuello.inference.model import load
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    use_threads(threads)
    allow(*own)
    loaded = load(model, code, str(choose_device(device)))
    with display(quiet or json) as shown:
        level = None if sigma is None else sigma / 255
        applied = apply_to_files(
            loaded, source, destination, overwrite=overwrite, progress=shown.work, level=level, range=range
        )
    if json:
        ranges = {str(path): str(levels) for path, levels in applied.ranges.items()}
        failed = [{"file": str(path), "problem": problem} for path, problem in applied.failed]
        print_json(
            {
                "written": [str(path) for path in applied.written],
                "failed": failed,
                "notes": applied.notes,
                "ranges": ranges,
            }
        )
    else:
        for note in applied.notes:
            print(f"note: {printable(note)}")
        where = applied.written[0] if len(applied.written) == 1 else destination
        print(f"{len(applied.written)} written: {where}")
        for _, problem in applied.failed:
            print(f"failed: {printable(problem)}", file=sys.stderr)
    if applied.failed:
        sys.exit(1)
