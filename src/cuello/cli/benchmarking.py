"""The command that measures a network on published yardsticks. Loaded when it is called."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, OwnCode, Quiet, Threads


def benchmark(
    name: Annotated[Literal["set5", "set12", "bsd68"], Parameter(help="set5, set12 or bsd68.")],
    run: Annotated[Path, Parameter(help="A run directory or a model.safetensors file.")],
    /,
    *,
    seed: Annotated[int, Parameter(help="Of the noise.")] = 0,
    csv: Annotated[Path | None, Parameter(help="Write the table to this file.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace a file that exists already.")] = False,
    model: OwnCode = None,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure a network on a published yardstick: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_result
    from cuello.core.files import check_new, make_folder, write_text
    from cuello.inference.model import load
    from cuello.jobs.images.benchmark import benchmark as measure
    from cuello.jobs.images.benchmark import result_of
    from cuello.training.device import choose_device, use_threads

    check_new(csv, overwrite)
    use_threads(threads)
    loaded = load(run, model, str(choose_device(device)))
    with display(quiet or json) as shown:
        found = result_of(measure(name, loaded, seed=seed, progress=shown.work))
    if csv is not None:
        make_folder(csv.absolute().parent)
        write_text(csv, found.csv)
    print_result(found, json)
    if csv is not None and not json:
        print(f"written: {csv}")
