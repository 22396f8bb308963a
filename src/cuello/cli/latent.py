"""`cuello latent`."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Overwrite, Own, OwnCode, Quiet, Threads, takes
from cuello.core.settings import LatentSettings


@takes(
    LatentSettings,
    start=Parameter(name="--from"),
    end=Parameter(name="--to"),
    thumbnails=Parameter(name="--images", negative="--labels"),
)
# More than seven parameters: each is a flag.
def latent(
    run: Annotated[
        Path, Parameter(help="A run directory, or a model.safetensors file (which needs IMAGES and --output).")
    ],
    images: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o", help="The folder to write to; by default RUN/latent.")] = None,
    overwrite: Overwrite = False,
    code: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Look into the code of an autoencoder: where it puts images, what lies between them, what is new.

    Writes to RUN/latent, or --output:

    map.png: the images, or their labels, at their codes
    grid.png: a plane of codes, decoded; with a normal prior, its quantiles
    interpolation.png: from image to image
    samples.png: drawn from the prior, or from a distribution fitted to the codes
    traversal.png: one number changed at a time, and from label to label
    neighbours.png: images whose codes are nearest
    invented.png: what lies between two images and is like none, with the proof
    latent.npz: all of it as arrays
    latent.html: one page with everything

    For example:

    cuello train reconstruct glyphs --model mlp-20-2 --samples 3200 --epochs 60 --learning-rate 0.01 -o runs/glyphs

    cuello latent runs/glyphs

    cuello latent runs/glyphs --from a --to o --steps 11 -o between/

    cuello latent runs/glyphs my-images/ -o mine/

    cuello latent runs/mnist --method tsne --labels --samples 100 --overwrite

    From Python: model.encode(images), model.decode(codes), and in cuello.latent
    interpolate, traverse, sample, grid, project, neighbours and invent.
    """
    from cuello.cli.render import print_result
    from cuello.core.own import allow
    from cuello.latent.page import make_latent
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    use_threads(threads)
    allow(*own)
    chosen = LatentSettings(images, **settings)
    folder = output.expanduser() if output is not None else None
    with display(quiet or json) as shown:
        result = make_latent(
            run.expanduser(), chosen, output=folder, overwrite=overwrite, network=code,
            device=str(choose_device(device)), progress=shown.work,
        )  # fmt: skip
    print_result(result, json)
    if shown.left_out:  # the result names them
        sys.exit(1)
