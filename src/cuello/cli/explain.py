"""`cuello explain`."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Overwrite, Own, Quiet, Threads, takes
from cuello.core.settings import ExplainSettings


@takes(ExplainSettings, class_=Parameter(name="--class"))
# More than seven parameters: each is a flag.
def explain(
    classifier: Annotated[
        Path,
        Parameter(help="A run directory or model.safetensors of `cuello train classify`, or an ONNX file."),
    ],
    images: Annotated[str, Parameter(help="An image, a folder, an array file or a data set.")],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", help="The folder to write to.")],
    overwrite: Overwrite = False,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Show which parts of images a classifier decides by: occlusion maps, exact or estimated.

    A box hides one part of an image after another; the map says what the class loses without it. Every box is
    evaluated, so the maps are exact. With --model a network that learned this classifier's maps estimates them, in one
    pass per image: quicker, but not exact. --check makes exact maps of a random share of the images
    and says how close the estimates are.
    Written to --output:

    maps.npz: the maps, (N, H, W) float32, with names, classes, scores and the settings

    overlays/NAME.png: image, map over it, and map with its scale

    explain.html, explain.png: all at a glance

    explain.json: settings, versions, what was found for every image, the check

    For example:

    cuello explain runs/pets photos/ -o runs/pets/maps

    cuello explain runs/digits mnist -o maps --limit 100

    cuello explain runs/pets photos/ -o runs/pets/maps --skip-existing --cluster ray://first:6379

    cuello explain runs/digits mnist-test/ -o maps --box 5 --stride 2 --fill mean --class 7

    cuello explain runs/stars stamps.npy -o maps --model runs/estimator --check 0.01

    cuello explain classifier.onnx images/ -o maps --padding 3
    """
    from cuello.cli.render import print_json
    from cuello.core.files import printable
    from cuello.core.own import allow
    from cuello.jobs.explain.explain import explain as explained
    from cuello.jobs.explain.output import as_json
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    use_threads(threads)
    allow(*own)
    with display(quiet or json) as shown:
        found = explained(
            classifier, images, output, overwrite=overwrite, device=str(choose_device(device)), progress=shown.work,
            **settings,
        )  # fmt: skip
    if json:
        print_json(as_json(found) | {"written": found.written})
    else:
        existed = f", {found.skipped:,} existed already" if found.skipped else ""
        many = f"{len(found.maps):,} image{'s' if len(found.maps) != 1 else ''}{existed}"
        print(f"maps of {many}: {found.folder / 'maps.npz'}")
        for line in found.says():
            print(line)
        for note in found.notes:
            print(f"note: {printable(note)}")
        for _, problem in found.failed:
            print(f"left out: {printable(problem)}", file=sys.stderr)
        print(f"report: {found.folder / 'explain.html'}")
    if found.failed:
        sys.exit(1)
