"""`cuello export`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Overwrite, Own, OwnCode, Quiet, Threads
from cuello.core.errors import CuelloError


# More than seven parameters: each is a flag.
def export(
    model: Annotated[
        Path,
        Parameter(help="A run directory, a model.safetensors file, or a ready model's name (see `cuello models`)."),
    ],
    target: Annotated[
        str, Parameter(help="The file to write, NAME.onnx, NAME.html or NAME.zip, or a folder; or the URL of one.")
    ],
    /,
    *,
    hub: Annotated[
        bool, Parameter(negative="", help="Write a folder that can be put on the Hugging Face hub as it is.")
    ] = False,
    bioimage: Annotated[
        bool, Parameter(negative="", help="Write NAME.zip for Fiji, ilastik, QuPath …: a BioImage.IO model.")
    ] = False,
    precision: Annotated[
        str,
        Parameter(
            help="Of NAME.onnx: float32, fp16 (weights of half the size) or int8 (whole numbers of 8 bits, faster on "
            "processors). What it costs in dB is measured: on the run's validation images, or on photographs."
        ),
    ] = "float32",
    dtype: Annotated[
        str,
        Parameter(
            help="Of NAME.onnx: what its images are: float32 (of any unit, which the input white says), uint8 or "
            "uint16 (scaled, rounded and cut inside)."
        ),
    ] = "float32",
    code: OwnCode = None,
    own: Own = (),
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Write a trained network as one file for programs other than Cuello.

    NAME.onnx is the network for ONNX Runtime with all that is done around it, tried beside torch on photographs before
    it is written. Of a network with a code, NAME-encoder.onnx and NAME-decoder.onnx lie beside it.

    NAME.html is a page for a browser: drop images, get them restored, enlarged, classified or explained, or walk over
    a map of codes. It works from a memory stick, without a server or a network, and sends nothing anywhere.

    For example:

    cuello export denoise denoise.html

    cuello export denoise denoise.onnx

    cuello export denoise smaller.onnx --precision int8

    cuello export runs/pets pets.html --overwrite

    cuello export runs/first first-for-the-hub --hub

    cuello export runs/first first.zip --bioimage
    """
    from cuello.cli.render import print_json, print_text
    from cuello.core.own import allow
    from cuello.data.remote.address import is_url
    from cuello.exporting.export import check_numbers, check_target
    from cuello.exporting.export import export as export_to_file
    from cuello.inference.model import load
    from cuello.training.device import use_threads

    if hub and bioimage:
        raise CuelloError("--hub writes a folder, --bioimage a zip: leave one of them out.")
    form = "hub" if hub else "bioimage" if bioimage else ""
    if not is_url(target):
        check_target(Path(target).expanduser(), overwrite, form)
    check_numbers(Path(target), form, precision=precision, dtype=dtype)
    use_threads(threads)
    allow(*own)
    written = export_to_file(load(model, code), target, overwrite, form=form, precision=precision, dtype=dtype)
    if json:
        notes = {"notes": list(written.notes)} if written.notes else {}
        print_json({"path": str(written.path), "bytes": written.size, **notes, **written.measured})
    elif not quiet:
        print_text(f"{written.path}: {written.size / 1e6:.1f} MB")
        for note in written.notes:
            print_text(f"note: {note}")
