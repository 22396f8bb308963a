"""`cuello compare`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Quiet, Threads
from cuello.core.errors import CuelloError


# More than seven parameters: each is a flag.
def compare(
    *runs: Annotated[
        Path, Parameter(help="Run directories; a folder of runs, such as one of repeats, stands for all.")
    ],
    epoch: Annotated[
        int | None, Parameter(help="Compare losses and gaps at this epoch; by default the last one that all runs have.")
    ] = None,
    latency: Annotated[bool, Parameter(help="Measure the time for one image.")] = True,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="A folder for compare.html, compare.csv and figures/*.png.")
    ] = None,
    html: Annotated[Path | None, Parameter(help="Write the page to this file.")] = None,
    csv: Annotated[Path | None, Parameter(help="Write every number to this CSV file, one line per run.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace files that exist already.")] = False,
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Put trained runs side by side: losses, over-fitting, parameters, times, and their evaluations.

    Like is compared with like: runs of another job, other images, noise, crops, channels or loss get a table of their
    own. Runs that differ only in the seed are one line, mean ± standard deviation, and differences between networks are
    paired by seed, with a 95% interval. What is not a complete run is left out and named; the exit code is then 1.

    For example:

    cuello compare runs/*

    cuello compare runs/first runs/second --epoch 5 --html compare.html

    cuello train denoise photos --noise gaussian:25 --crop 64 --model unet-s --repeats 3 -o runs/unet

    cuello compare runs/unet runs/three -o runs/comparison        (folders of repeats)
    """
    from cuello.cli.render import print_result
    from cuello.comparison import compare as compare_runs
    from cuello.comparison.page import PAGE_NAME, result_of, write_comparison, write_comparison_page
    from cuello.core.files import check_new, make_folder, write_text
    from cuello.training.device import use_threads
    from cuello.training.display import display

    if not runs:
        raise CuelloError("name at least one run directory, as in: cuello compare runs/first runs/second")
    for file in (html, csv):
        check_new(file, overwrite)
    use_threads(threads)
    with display(quiet or json) as shown:
        found = compare_runs(runs, epoch=epoch, latency=latency, progress=shown.work)
    result = result_of(found)
    written = []
    if output is not None:
        write_comparison(output, found, overwrite)
        written.append(output / PAGE_NAME)
    if html is not None:
        make_folder(html.absolute().parent)
        write_comparison_page(html, found)
        written.append(html)
    if csv is not None:
        make_folder(csv.absolute().parent)
        write_text(csv, result.csv)
        written.append(csv)
    print_result(result, json)
    if not json:
        for file in written:
            print(f"written: {file}")
        for path, reason in found.left_out:
            print(f"left out: {path}: {reason}", file=sys.stderr)
    if found.left_out:
        sys.exit(1)
