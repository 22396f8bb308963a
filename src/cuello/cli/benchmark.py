"""`cuello benchmark`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from cuello.cli.options import JSON, Device, Overwrite, Own, OwnCode, Quiet, Threads, takes
from cuello.core.settings import BenchmarkSettings


@takes(BenchmarkSettings, most=Parameter(validator=Number(gte=1)))
# More than seven parameters: each is a flag.
def benchmark(
    images: Annotated[
        str,
        Parameter(
            help="set5, set12, bsd68, cbsd68, classic5 or live1; or a folder of clean images, a file or a data set, "
            "measured whole."
        ),
    ],
    /,
    *runs: Annotated[
        Path, Parameter(help="Run directories or model.safetensors files; a folder of repeats counts as one network.")
    ],
    output: Annotated[
        Path | None, Parameter(alias="-o", help="A folder for benchmark.html, benchmark.csv and figures/*.png.")
    ] = None,
    csv: Annotated[Path | None, Parameter(help="Write the table to this file, one line per run.")] = None,
    overwrite: Overwrite = False,
    model: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Measure networks on a published benchmark, beside what others reached, or on clean images of your own.

    set5: enlarging by 2, 3 or 4. PSNR and SSIM on luma, as many pixels cut at the edges as the scale; bicubic
    interpolation is measured too and must give the published number.

    set12, bsd68, cbsd68: Gaussian noise of σ = 15, 25 and 50 (out of 255, not cut off) on grey images, or on colour
    ones. A network that is told the noise level is told the true one; colour goes through one of one channel a channel
    at a time.

    classic5, live1: grey JPEG of the qualities 10, 20, 30 and 40; PSNR, PSNR-B (which counts blocks) and SSIM. JPEG
    itself is measured too and must give the published number.

    Your images: --noise spoils them, and classical methods are measured beside the networks. Networks are compared
    image by image, repeats also seed by seed, each with a 95% interval.

    For example:

    cuello benchmark set5 runs/upscale-up-s

    cuello benchmark bsd68 runs/denoise-denoise-s --csv bsd68.csv

    cuello benchmark my-photos runs/first runs/second --noise gaussian:25 -o benchmark

    cuello benchmark my-photos runs/unet runs/three --sweep 15,25,50        (folders of repeats)
    """
    from cuello.cli.render import end_with, print_result
    from cuello.core.files import check_new, make_folder, write_text
    from cuello.core.own import allow
    from cuello.jobs.images.benchmark_page import PAGE_NAME, result_of
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display
    from cuello.work.benchmark import benchmark as measure

    check_new(csv, overwrite)
    use_threads(threads)
    allow(*own)
    where = str(choose_device(device))
    with display(quiet or json) as shown:
        measured = measure(
            images, runs, code=model, device=where, output=output, overwrite=overwrite, progress=shown.work, **settings
        )
    found = result_of(measured)
    written = [output / PAGE_NAME] if output is not None else []
    if csv is not None:
        make_folder(csv.absolute().parent)
        write_text(csv, found.csv)
        written.append(csv)
    print_result(found, json)
    if not json:
        for file in written:
            print(f"written: {file}")
    end_with(shown.left_out)
