"""The command that measures a network on published yardsticks. Loaded when it is called."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, OwnCode, Quiet

if TYPE_CHECKING:
    from cuello.jobs.images.benchmark import Benchmark


def benchmark(
    name: Annotated[Literal["set5", "set12", "bsd68"], Parameter(help="set5, set12 or bsd68.")],
    run: Annotated[Path, Parameter(help="A run directory or a model.safetensors file.")],
    /,
    *,
    seed: Annotated[int, Parameter(help="Of the noise.")] = 0,
    csv: Annotated[Path | None, Parameter(help="Write the table to this file.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace a file that exists already.")] = False,
    model: OwnCode = None,
    device: Annotated[str, Parameter(help="cpu, cuda, cuda:N or mps.")] = "cpu",
    threads: Annotated[int | None, Parameter(help="Processor threads; by default all cores.")] = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure a network on a published yardstick: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_json
    from cuello.core.files import check_new, make_folder, write_text
    from cuello.inference.model import load
    from cuello.jobs.images.benchmark import as_json, csv_text
    from cuello.jobs.images.benchmark import benchmark as measure
    from cuello.training.device import choose_device, use_threads

    check_new(csv, overwrite)
    use_threads(threads)
    loaded = load(run, model, str(choose_device(device)))
    with display(quiet or json) as shown:
        found = measure(name, loaded, seed=seed, progress=shown.work)
    if csv is not None:
        make_folder(csv.absolute().parent)
        write_text(csv, csv_text(found))
    if json:
        print_json(as_json(found))
        return
    print_benchmark(found)
    if csv is not None:
        print(f"written: {csv}")


def print_benchmark(found: "Benchmark") -> None:
    """Print the protocol, ours beside what was published, and the notes."""
    from cuello.cli.render import print_rows
    from cuello.jobs.images.benchmark import table_rows

    print(f"{found.name}, {len(found.images)} images: {found.rows[0].score('psnr').protocol}, mean over images\n")
    print_rows("", [f"{found.unit}>", "method", "parameters>", "PSNR>", "SSIM>", "from"], table_rows(found))
    print()
    for note in found.notes:
        print(f"note: {note}")
