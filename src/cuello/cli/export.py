"""`cuello export`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Overwrite, Own, OwnCode, Quiet, Threads


# More than seven parameters: each is a flag.
def export(
    model: Annotated[
        Path,
        Parameter(help="A run directory, a model.safetensors file, or a ready model's name (see `cuello models`)."),
    ],
    target: Annotated[Path, Parameter(help="The file to write: NAME.html.")],
    /,
    *,
    code: OwnCode = None,
    own: Own = (),
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Write a trained network as one file for programs other than Cuello.

    NAME.html is a page for a browser: drop images, get them restored, enlarged, classified or explained, or walk over
    a map of codes. It works from a memory stick, without a server or a network, and sends nothing anywhere.

    For example:

    cuello export denoise denoise.html

    cuello export runs/pets pets.html --overwrite
    """
    from cuello.cli.render import print_json, print_text
    from cuello.core.own import allow
    from cuello.exporting.export import check_target
    from cuello.exporting.export import export as export_to_file
    from cuello.inference.model import load
    from cuello.training.device import use_threads

    check_target(target.expanduser(), overwrite)
    use_threads(threads)
    allow(*own)
    written = export_to_file(load(model, code), target, overwrite)
    if json:
        print_json({"path": str(written.path), "bytes": written.size})
    elif not quiet:
        print_text(f"{written.path}: {written.size / 1e6:.1f} MB")
