"""The command that trains with many settings. Loaded when it is called: every setting of TrainConfig is a flag here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON, Quiet, takes
from cuello.core.config import TrainConfig, read_toml
from cuello.core.errors import CuelloError

if TYPE_CHECKING:
    from cuello.search import Found

MOST_ROWS = 10


@takes(TrainConfig)
def search(
    job: str | None = None,
    data: str | None = None,
    *,
    space: Annotated[
        Path | None,
        Parameter(
            help="A TOML file of what is searched. A setting with a list: learning_rate = [1e-3, 1e-2]; with a "
            "range: learning_rate = {low = 1e-4, high = 0.1, log = true}; or with placeholders that other lines "
            "fill: model = 'mlp:35-{widths}', widths = ['20-2', '32-8-2']."
        ),
    ] = None,
    over: Annotated[
        list[str] | None,
        Parameter(
            help="NAME=VALUES, without a file and as often as needed: optimizer=sgd,adam or "
            "learning-rate=1e-4..1e-1,log or epochs=10..50,step=10.",
            negative="",
        ),
    ] = None,
    sampler: Annotated[
        Literal["grid", "random", "tpe"],
        Parameter(help="grid: every combination; random, tpe: drawn by Optuna (pip install 'cuello[search]')."),
    ] = "grid",
    trials: Annotated[
        int | None, Parameter(help="How many are drawn, by default 30; may be raised when a search goes on.")
    ] = None,
    points: Annotated[int | None, Parameter(help="grid: how many numbers of each range that has no step.")] = None,
    prune: Annotated[
        bool, Parameter(negative="", help="Stop a trial that is worse at an epoch than the median of the others.")
    ] = False,
    objective: Annotated[
        Literal["loss", "mse", "psnr", "accuracy"] | None,
        Parameter(
            help="What the best is the best by, on the validation images at the best epoch: by default the loss, "
            "or what the job measures where trials differ in their loss."
        ),
    ] = None,
    repeats: Annotated[
        int, Parameter(help="Train each trial with so many seeds, SEED, SEED + 1, …, and go by the mean.")
    ] = 1,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="The search's folder; by default runs/search-JOB-DATA.")
    ] = None,
    config: Annotated[
        Path | None, Parameter(help="A TOML file of settings for all trials; flags, and what is searched, win.")
    ] = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Train with many settings and find out which are the best: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.search import parse_overs
    from cuello.search import search as search_settings

    searched = joined(read_toml(space) if space else {}, parse_overs(over or []))
    given = {name: value for name, value in {"job": job, "data": data, **settings}.items() if value is not None}
    kept = {name: value for name, value in (read_toml(config) if config else {}).items() if name not in searched}
    with display(quiet or json) as shown:
        common: dict[str, Any] = {"job": "denoise", "data": "photos"} | kept | given
        found = search_settings(
            **common, space=searched, sampler=sampler, trials=trials, points=points, prune=prune, objective=objective,
            repeats=repeats, output=output, progress=shown.whole,
        )  # fmt: skip
    say_search(found, json)


def joined(space: dict[str, Any], overs: dict[str, Any]) -> dict[str, Any]:
    """Return both parts of a space; CuelloError for a key that is in both."""
    for name in overs:
        if name in space:
            raise CuelloError(f"{name} is in --space and in --over: leave out one of them.")
    return space | overs


def say_search(found: "Found", json: bool) -> None:
    """Print the best trials, the verdict, and how to train the best again."""
    from cuello.cli.render import print_json, print_rows
    from cuello.search.trials import trial_json

    if json:
        trials = [trial_json(trial) for trial in found.trials]
        print_json(
            {"best": trial_json(found.best), "run": str(found.run.path), "command": found.command,
             "page": str(found.page), "verdict": found.verdict, "trials": trials}
        )  # fmt: skip
        return
    print_rows("", found.table.columns, found.table.rows[:MOST_ROWS])
    print(f"\n{found.verdict}")
    print(f"again:  {found.command}")
    print(f"page:   {found.page}")
