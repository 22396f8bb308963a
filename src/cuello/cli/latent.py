"""The command that looks into a network's code. Loaded when it is called."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Overwrite, OwnCode, Quiet, Threads


def latent(
    run: Annotated[
        Path, Parameter(help="A run directory, or a model.safetensors file (which needs IMAGES and --output).")
    ],
    images: Annotated[
        str | None,
        Parameter(help="A folder, file or data set whose codes to look at; by default the run's own test images."),
    ] = None,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="The folder to write to; by default RUN/latent.")
    ] = None,
    method: Annotated[
        Literal["pca", "tsne", "umap"] | None,
        Parameter(
            help="What brings codes to two numbers for the map: pca; tsne (needs scikit-learn) or umap (needs "
            "umap-learn). Needed where a code has more than two numbers."
        ),
    ] = None,
    thumbnails: Annotated[
        bool | None,
        Parameter(
            name="--images", negative="--labels",
            help="Draw the map with the images at their codes, or with points in the colours of their labels. By "
            "default images where there are at most 200 or no labels.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="Where the interpolation begins: an image's name, or a label, for its most typical image. By default "
            "some pairs of different labels.",
        ),
    ] = None,
    end: Annotated[str | None, Parameter(name="--to", help="Where it ends.")] = None,
    steps: Annotated[int, Parameter(help="Codes on the way, both ends among them; 2 or more.")] = 9,
    path: Annotated[
        Literal["straight", "spherical"],
        Parameter(help="straight, or spherical: the code turns, its length changes evenly; for codes of many numbers."),
    ] = "straight",
    samples: Annotated[int, Parameter(help="How many codes to draw at random.")] = 64,
    seed: Annotated[int, Parameter(help="Of the samples, the inventions, tsne and umap.")] = 0,
    overwrite: Overwrite = False,
    code: OwnCode = None,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Look into a network's code: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_result
    from cuello.latent.page import make_latent
    from cuello.latent.view import LatentSettings
    from cuello.training.device import choose_device, use_threads

    use_threads(threads)
    settings = LatentSettings(
        images=images, method=method, start=start, end=end, steps=steps, samples=samples, path=path, seed=seed,
        thumbnails=thumbnails,
    )  # fmt: skip
    with display(quiet or json) as shown:
        result = make_latent(
            run.expanduser(), settings, output=output.expanduser() if output is not None else None,
            overwrite=overwrite, network=code, device=str(choose_device(device)), progress=shown.work,
        )  # fmt: skip
    print_result(result, json)
