"""`cuello noise`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Overwrite, Quiet, Threads


# More than seven parameters: each is a flag.
def noise(
    *images: Annotated[
        str,
        Parameter(
            name="IMAGES",
            help="Images, folders (with their subfolders), TIFF stacks, .npy arrays, patterns ('scans/*.png') or URLs.",
        ),
    ],
    limit: Annotated[int, Parameter(help="Look at no more than so many images, spread evenly.")] = 24,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="A folder for report.html, noise.json and the pictures.")
    ] = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure the noise of images of one camera and setting, from these images alone.

    Gain, noise of reading, σ where it is dark and where it is bright; whether neighbours share noise; stripes, JPEG's
    blocks, pixels cut off, hot and dead pixels; and what follows for the choice of a method. Values are in the unit of
    the files. Where images show one scene that stands still, noise is measured from one to the next; that is tested.

    Images of another setting are left out, and named. A file that cannot be read is named too, and the rest goes on;
    the exit code is then 1.

    For example:

    cuello noise scan.tif

    cuello noise scans/ -o noise/

    cuello noise 'stack/*.tif' --json
    """
    from cuello.cli.render import print_result
    from cuello.core.errors import CuelloError
    from cuello.core.files import printable
    from cuello.denoising.noise import noise as measured
    from cuello.training.device import use_threads
    from cuello.training.display import display

    if not images:
        raise CuelloError("whose noise? Name images, as in: cuello noise scans/")
    use_threads(threads)
    with display(quiet or json) as shown:
        found = measured(list(images), limit=limit, output=output, overwrite=overwrite, progress=shown.work)
    print_result(found.result, json)
    if not json:
        for name, reason in found.left_out:
            print(f"left out: {printable(name)}: {printable(reason)}", file=sys.stderr)
        for _, problem in found.failed:
            print(f"failed: {printable(problem)}", file=sys.stderr)
        if output is not None:
            print(f"report: {output.expanduser() / 'report.html'}")
    if found.failed:
        sys.exit(1)
