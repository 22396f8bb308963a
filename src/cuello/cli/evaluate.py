"""`cuello evaluate`: one run, or several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from cuello.cli.options import JSON, Device, Overwrite, Own, OwnCode, Quiet, Threads, takes
from cuello.core.errors import CuelloError
from cuello.core.settings import EvaluateSettings

FOR_ONE, FOR_SEVERAL = ("target", "noise", "metrics"), ("output", "overwrite", "most")
"""Flags that mean nothing for several runs, and for one."""


@takes(EvaluateSettings, most=Parameter(validator=Number(gte=1)))
# More than seven parameters: each is a flag.
def evaluate(
    run: Annotated[
        Path, Parameter(help="A run directory, a folder of repeats, or a model.safetensors file with IMAGES.")
    ],
    /,
    *more: Annotated[
        str,
        Parameter(
            name="IMAGES",
            help="More runs, for the matrix; and last, at most once: a folder, file or data set, evaluated whole. By "
            "default the run's own test images.",
        ),
    ],
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Several runs: a folder for matrix.csv, matrix.html and figures.")
    ] = None,
    overwrite: Overwrite = False,
    model: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Judge trained networks beside the classical methods, on the same degraded pixels.

    A classifier: accuracy, confusion matrix and calibration, beside a logistic regression; IMAGES need labels.

    One run: its metrics.json, images.csv, figures and report.html are written anew. A folder of repeats: each is judged
    in this way, and a table gives mean ± standard deviation.

    Several runs, trained against the same kind of noise: the matrix of trained level against tested level. Each is
    tested at --sweep, or at every level that one of them was trained at; the best of each level has a star.

    For example:

    cuello evaluate runs/first

    cuello evaluate runs/first more-photos/ --sweep 0.1,0.2,0.5,0.9

    cuello evaluate model.safetensors set12 --noise gaussian:25,clip=no

    cuello evaluate runs/at-0.1 runs/at-0.5 runs/at-0.1..0.9 --sweep 0.1,0.3,0.5,0.9 -o matrix/

    cuello evaluate runs/* set12 --most 5 --baselines input,median-3,tv
    """
    from cuello.cli.render import end_with, print_result
    from cuello.core.own import allow
    from cuello.inference.model import artefact_at
    from cuello.jobs.base import Request
    from cuello.jobs.catalog import JOBS
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display
    from cuello.work import evaluate as judging
    from cuello.work.several import JudgedRuns, result_of

    runs, images = split_words([str(run), *more])
    several = len(runs) > 1
    given = {"output": output, "overwrite": overwrite, **settings}
    for name in FOR_ONE if several else FOR_SEVERAL:
        if given.get(name):
            needed = "one run" if several else "several runs: cuello evaluate RUN RUN …"
            raise CuelloError(f"--{name} is for {needed}. Leave it out.")
    use_threads(threads)
    allow(*own)
    loading: dict[str, Any] = {"network": model, "device": str(choose_device(device))}
    with display(quiet or json) as shown:
        if several:
            request = Request(runs[0], images, progress=shown.work, **settings)
            result = judging.several_runs(runs, request, output=output, overwrite=overwrite, **loading).result
        else:
            found = judging.evaluate(run, images, progress=shown.work, **loading, **settings)
            together = isinstance(found, JudgedRuns)
            result = result_of(found) if together else JOBS[artefact_at(run).job].result(found)
    print_result(result, json)
    if several and output is not None and not json:
        print(f"\nreport: {output / 'matrix.html'}")
    elif not several and run.is_dir() and not json:
        print(f"report: {run / 'report.html'}" if is_run(str(run)) else f"reports: {run / '*' / 'report.html'}")
    end_with(shown.left_out)


def is_run(text: str) -> bool:
    """Tell whether a word names a run: a directory with config.toml or model.safetensors, or a .safetensors file."""
    path = Path(text).expanduser()
    if path.is_dir():
        return (path / "config.toml").is_file() or (path / "model.safetensors").is_file()
    return path.is_file() and path.suffix == ".safetensors"


def split_words(words: Sequence[str]) -> tuple[list[Path], str | None]:
    """Divide what was named into runs and, last, the images; the first word is a run whatever it is.

    Raises CuelloError where a run follows the images, or images are named twice.
    """
    runs, images = [Path(words[0])], None
    for word in words[1:]:
        if is_run(word) and images is None:
            runs.append(Path(word))
        elif is_run(word):
            raise CuelloError(
                f"got the run {word} after {images}, which is not a run (it holds neither config.toml nor "
                "model.safetensors) and so counts as IMAGES. Name all runs first and the images last."
            )
        elif images is None:
            images = word
        else:
            raise CuelloError(
                f"got {images} and {word}, neither of which is a run (a folder with config.toml or model.safetensors): "
                "needed at most one set of IMAGES, the last."
            )
    return runs, images
