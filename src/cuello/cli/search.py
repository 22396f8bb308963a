"""`cuello search`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import ANY_WORD, AS_TEXT, JSON, NO_DEFAULT, AtOnce, OnCluster, Quiet, takes
from cuello.core.config import TrainConfig, read_toml
from cuello.core.errors import CuelloError
from cuello.core.settings import SearchSettings

if TYPE_CHECKING:
    from cuello.search import Found

MOST_ROWS = 10


@takes(SearchSettings, TrainConfig, job=ANY_WORD, model=NO_DEFAULT, loss=NO_DEFAULT, storage=AS_TEXT)
# More than seven parameters: each is a flag.
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
    output: Annotated[
        Path | None, Parameter(alias="-o", help="The search's folder; by default runs/search-JOB-DATA.")
    ] = None,
    config: Annotated[
        Path | None, Parameter(help="A TOML file of settings for all trials; flags, and what is searched, win.")
    ] = None,
    workers: AtOnce = None,
    cluster: OnCluster = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Train with many settings and find out which are the best.

    Each job's settings, with examples: cuello search JOB --help

    What is searched stands in a file (--space) or on the command line (--over); every other setting is a flag, the same
    for all trials. Trials are run directories that `cuello compare` reads. The same command again goes on with a search
    that was stopped. In the output folder: search.html, search.csv, figures, trials/.

    For example:

    cuello search reconstruct glyphs --model "mlp:35-{widths},activation={activation}" --over widths=2,20-2,32-8-2
    --over activation=tanh,relu --over learning-rate=1e-3,1e-2

    cuello search denoise photos --noise gaussian:25 --crop 64 --model unet-s --over learning-rate=1e-4..1e-1,log
    --over optimizer=adam,sgd --sampler tpe --trials 20 --prune -o runs/search
    """
    from cuello.cli.render import end_with
    from cuello.search import parse_overs
    from cuello.search import search as search_settings
    from cuello.training.display import display

    searched = joined(read_toml(space) if space else {}, parse_overs(over or []))
    given = {name: value for name, value in {"job": job, "data": data, **settings}.items() if value is not None}
    kept = {name: value for name, value in (read_toml(config) if config else {}).items() if name not in searched}
    with display(quiet or json) as shown:
        common: dict[str, Any] = {"job": "denoise", "data": "photos"} | kept | given
        found = search_settings(
            **common, space=searched, output=output, workers=workers, cluster=cluster, progress=shown.whole
        )
    say_search(found, json)
    end_with(shown.left_out)


def joined(space: dict[str, Any], overs: dict[str, Any]) -> dict[str, Any]:
    """Return both parts of a space; CuelloError for a key that is in both."""
    for name in overs:
        if name in space:
            raise CuelloError(f"{name} is in --space and in --over: leave out one of them.")
    return space | overs


def say_search(found: "Found", json: bool) -> None:
    """Print the best trials, the verdict, and how to train the best again."""
    from cuello.cli.render import print_json, print_rows, print_text
    from cuello.search.trials import trial_json

    if json:
        trials = [trial_json(trial) for trial in found.trials]
        print_json(
            {"best": trial_json(found.best), "run": str(found.run.path), "command": found.command,
             "page": str(found.page), "verdict": found.verdict, "trials": trials}
        )  # fmt: skip
        return
    print_rows("", found.table.columns, found.table.rows[:MOST_ROWS])
    print_text(f"\n{found.verdict}")
    print(f"again:  {found.command}")
    print(f"page:   {found.page}")
