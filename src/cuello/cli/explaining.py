"""The command that shows what a classifier looks at. Loaded when it is called."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Overwrite, Quiet, Threads


def explain(
    classifier: Annotated[
        Path,
        Parameter(help="A run directory or model.safetensors of `cuello train classify`, or an ONNX file."),
    ],
    images: Annotated[str, Parameter(help="An image, a folder, an array file or a data set.")],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="The folder to write to.")],
    model: Annotated[
        Path | None,
        Parameter(
            help="Estimate the maps in one pass: a run directory or model.safetensors of `cuello train explain` that "
            "learned this classifier's maps. What it learned (box, fill, …) is known."
        ),
    ] = None,
    check: Annotated[
        float | None,
        Parameter(help="With --model: explain this share of the images, e.g. 0.01, exactly too, and compare."),
    ] = None,
    seed: Annotated[int, Parameter(help="Of the choice of images for --check.")] = 0,
    box: Annotated[int | None, Parameter(help="Side of the box that hides a part, pixels; by default 3.")] = None,
    stride: Annotated[int | None, Parameter(help="How far the box moves, pixels: 1 (the default) to its side.")] = None,
    fill: Annotated[
        str | None,
        Parameter(
            help="What the box shows: a number (0, the default, is black, 1 white), mean (of the image), or blur (the "
            "image)."
        ),
    ] = None,
    sigma: Annotated[float | None, Parameter(help="Of --fill blur, pixels; by default 3.")] = None,
    padding: Annotated[
        int | None,
        Parameter(
            help="Pixels of 0 put around the images for an ONNX file; boxes slide over them too. By default none; "
            "Cuello's own classifiers know theirs."
        ),
    ] = None,
    class_: Annotated[
        str | None,
        Parameter(
            name="--class",
            help="The class to explain: predicted (each image's own, the default), a name, or a number from 0.",
        ),
    ] = None,
    definition: Annotated[
        Literal["mean-drop", "captum", "mean", "sum", "standardised-sum"] | None,
        Parameter(
            help="mean-drop (the default): mean fall of the probability under the boxes that cover a pixel; captum: of "
            "the score before softmax; mean, sum: of the probability itself; standardised-sum: the sum, cut to ±1 "
            "standard deviation."
        ),
    ] = None,
    score: Annotated[
        Literal["probability", "logit", "drop", "logit-drop"] | None,
        Parameter(help="What is watched; by default the definition's own."),
    ] = None,
    outputs: Annotated[
        Literal["logits", "probabilities"] | None,
        Parameter(help="What an ONNX file gives: scores before softmax (logits, the default), or probabilities."),
    ] = None,
    resize: Annotated[
        str | None, Parameter(help="Resize the images to N or WIDTHxHEIGHT pixels; by default as in training.")
    ] = None,
    pictures: Annotated[int, Parameter(help="Overlays to draw, at most: spread evenly over the images.")] = 100,
    on_error: Annotated[
        Literal["stop", "skip"], Parameter(help="What to do with an image that cannot be read or does not fit.")
    ] = "stop",
    overwrite: Overwrite = False,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Show what a classifier looks at: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_json
    from cuello.jobs.explain.explain import explain as explained
    from cuello.jobs.explain.output import as_json
    from cuello.training.device import choose_device, use_threads

    use_threads(threads)
    with display(quiet or json) as shown:
        found = explained(
            classifier, images, output, model=model, check=check, seed=seed, box=box, stride=stride,
            fill=fill, sigma=sigma, padding=padding, class_=class_,
            definition=definition, score=score, outputs=outputs, resize=resize, pictures=pictures, on_error=on_error,
            overwrite=overwrite, device=str(choose_device(device)), progress=shown.work,
        )  # fmt: skip
    if json:
        print_json(as_json(found) | {"written": found.written})
    else:
        print(f"maps of {len(found.maps):,} image{'s' if len(found.maps) != 1 else ''}: {found.folder / 'maps.npz'}")
        for line in found.says():
            print(line)
        for note in found.notes:
            print(f"note: {note}")
        for _, problem in found.failed:
            print(f"left out: {problem}", file=sys.stderr)
        print(f"report: {found.folder / 'explain.html'}")
    if found.failed:
        sys.exit(1)
