"""`cuello study`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cuello.cli.options import JSON, OnCluster, Quiet, Threads


# More than seven parameters: each is a flag.
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
        Parameter(help="Trainings at once, each in a process of its own; by default one per core, if memory allows."),
    ] = None,
    cluster: OnCluster = None,
    device: Annotated[str, Parameter(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Redo a source system's work: every training, table and picture, with its numbers beside ours.

    Without --data it is a miniature on bundled data that takes a few minutes. A study that was stopped goes on when the
    same command is given again. Every training in it is a run directory that `cuello compare`, `evaluate` and `apply`
    read.

    For example:

    cuello study salt-pepper

    cuello study salt-pepper --data bsds400 --repeats 3 -o runs/salt-pepper
    """
    from cuello.cli.render import print_json, print_text
    from cuello.studies.catalog import study as redo
    from cuello.training.display import display
    from cuello.work.plans import default_workers

    own = cluster in (None, "processes")
    many = workers if workers is not None else default_workers(device) if own else 1
    with display(quiet or json) as shown:
        result = redo(
            name,
            data,
            output,
            repeats=repeats,
            workers=many,
            cluster=cluster,
            device=device,
            threads=threads,
            watch=shown.whole,
        )
    if json:
        print_json({"study": name, "report": str(result.report), "verdict": result.verdict})
        return
    print_text(result.verdict)
    print(f"report: {result.report}")
