"""`cuello benchmark`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Own, OwnCode, Quiet, Threads


# More than seven parameters: each is a flag.
def benchmark(
    name: Annotated[Literal["set5", "set12", "bsd68"], Parameter(help="set5, set12 or bsd68.")],
    run: Annotated[Path, Parameter(help="A run directory or a model.safetensors file.")],
    /,
    *,
    seed: Annotated[int, Parameter(help="Of the noise.")] = 0,
    csv: Annotated[Path | None, Parameter(help="Write the table to this file.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace a file that exists already.")] = False,
    model: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure a network on a published yardstick, as the literature does, beside what others reached.

    set5: enlarging by 2, 3 or 4. PSNR and SSIM on luma, as many pixels cut at the edges as the scale; bicubic
    interpolation is measured too and must give the published number.

    set12, bsd68: Gaussian noise of σ = 15, 25 and 50 (out of 255, not cut off) on grey images. A network that is told
    the noise level is told the true one.

    For example:

    cuello benchmark set5 runs/upscale-up-s

    cuello benchmark bsd68 runs/denoise-denoise-s --csv bsd68.csv
    """
    from cuello.cli.render import print_result
    from cuello.core.files import check_new, make_folder, write_text
    from cuello.core.own import allow
    from cuello.inference.model import load
    from cuello.jobs.images.benchmark import benchmark as measure
    from cuello.jobs.images.benchmark import result_of
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    check_new(csv, overwrite)
    use_threads(threads)
    allow(*own)
    loaded = load(run, model, str(choose_device(device)))
    with display(quiet or json) as shown:
        found = result_of(measure(name, loaded, seed=seed, progress=shown.work))
    if csv is not None:
        make_folder(csv.absolute().parent)
        write_text(csv, found.csv)
    print_result(found, json)
    if csv is not None and not json:
        print(f"written: {csv}")
