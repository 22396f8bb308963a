"""The command that shows what a classifier looks at. Loaded when it is called."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Quiet
from cuello.errors import CuelloError


def explain(
    classifier: Annotated[
        Path,
        Parameter(help="A run directory or model.safetensors of `cuello train classify`, or an ONNX file."),
    ],
    images: Annotated[str, Parameter(help="An image, a folder, an array file or a data set.")],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="The folder to write to.")],
    box: Annotated[int, Parameter(help="Side of the box that hides a part, pixels.")] = 3,
    stride: Annotated[int, Parameter(help="How far the box moves, pixels: 1 to its side.")] = 1,
    fill: Annotated[
        str,
        Parameter(help="What the box shows: a number (0 is black, 1 white), mean (of the image), or blur (the image)."),
    ] = "0",
    sigma: Annotated[float, Parameter(help="Of --fill blur, pixels.")] = 3.0,
    class_: Annotated[
        str,
        Parameter(
            name="--class", help="The class to explain: predicted (each image's own), a name, or a number from 0."
        ),
    ] = "predicted",
    definition: Annotated[
        Literal["mean-drop", "captum", "mean", "sum", "standardised-sum"],
        Parameter(
            help="mean-drop: mean fall of the probability under the boxes that cover a pixel; captum: of the score "
            "before softmax; mean, sum: of the probability itself; standardised-sum: the sum, cut to ±1 standard "
            "deviation."
        ),
    ] = "mean-drop",
    score: Annotated[
        Literal["probability", "logit", "drop", "logit-drop"] | None,
        Parameter(help="What is watched; by default the definition's own."),
    ] = None,
    outputs: Annotated[
        Literal["logits", "probabilities"],
        Parameter(help="What an ONNX file gives: scores before softmax, or probabilities."),
    ] = "logits",
    resize: Annotated[
        str | None, Parameter(help="Resize the images to N or WIDTHxHEIGHT pixels; by default as in training.")
    ] = None,
    pictures: Annotated[int, Parameter(help="Overlays to draw, at most: spread evenly over the images.")] = 100,
    on_error: Annotated[
        Literal["stop", "skip"], Parameter(help="What to do with an image that cannot be read or does not fit.")
    ] = "stop",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace what an earlier call wrote there.")] = False,
    device: Annotated[str, Parameter(help="cpu, cuda, cuda:N or mps.")] = "cpu",
    threads: Annotated[int | None, Parameter(help="Processor threads; by default all cores.")] = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Show what a classifier looks at: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_json
    from cuello.explaining import as_json
    from cuello.explaining import explain as explained
    from cuello.training.device import choose_device, use_threads

    use_threads(threads)
    with display(quiet or json) as shown:
        found = explained(
            classifier, images, output, box=box, stride=stride, fill=as_fill(fill), sigma=sigma, class_=class_,
            definition=definition, score=score, outputs=outputs, resize=resize, pictures=pictures, on_error=on_error,
            overwrite=overwrite, device=str(choose_device(device)), progress=shown.work,
        )  # fmt: skip
    if json:
        print_json(as_json(found) | {"written": found.written})
    else:
        print(f"maps of {len(found.maps):,} image{'s' if len(found.maps) != 1 else ''}: {found.folder / 'maps.npz'}")
        for note in found.notes:
            print(f"note: {note}")
        for _, problem in found.failed:
            print(f"left out: {problem}", file=sys.stderr)
        print(f"report: {found.folder / 'explain.html'}")
    if found.failed:
        sys.exit(1)


def as_fill(text: str) -> float | str:
    """Read what a box shows: a number, or a name."""
    if text in ("mean", "blur"):
        return text
    try:
        return float(text)
    except ValueError:
        raise CuelloError(f"fill: got {text!r}, needed a number, mean or blur.") from None
