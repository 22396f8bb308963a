"""The command that redoes a source system's work. Loaded when it is called."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, Quiet, Threads


def study(
    name: Annotated[str, Parameter(help="Which one (see `cuello studies`).")],
    /,
    *,
    data: Annotated[str | None, Parameter(help="The data set; by default the study's small one.")] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="The study's folder; by default runs/study-NAME-DATA.")
    ] = None,
    repeats: Annotated[
        int | None,
        Parameter(help="Seeds to train with; tables then show the deviation. By default as many as the study needs."),
    ] = None,
    workers: Annotated[
        int | None,
        Parameter(help="Trainings at once, each in a process of its own; by default one a core, if memory allows."),
    ] = None,
    device: Annotated[str, Parameter(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Redo a source's work: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_json
    from cuello.studies.catalog import study as redo
    from cuello.work.plans import default_workers

    many = default_workers(device) if workers is None else workers
    with display(quiet or json) as shown:
        result = redo(
            name, data, output, repeats=repeats, workers=many, device=device, threads=threads, watch=shown.whole
        )
    if json:
        print_json({"study": name, "report": str(result.report), "verdict": result.verdict})
        return
    print(result.verdict)
    print(f"report: {result.report}")


def studies(*, json: JSON = False) -> None:
    """List the studies: the help is in cli/app.py."""
    from cuello.cli.render import print_json, print_rows
    from cuello.studies.catalog import STUDIES

    if json:
        print_json([{"name": one.name, "summary": one.summary, "data": list(one.data)} for one in STUDIES])
        return
    print_rows("", ["study", "what it is", "data"], [[one.name, one.summary, ", ".join(one.data)] for one in STUDIES])
    print("\nOn the first data set, a miniature that needs no download: cuello study NAME. On the second: --data.")
