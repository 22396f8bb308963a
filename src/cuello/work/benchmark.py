"""Trained networks, one or several, on a published yardstick or on images that the user brings."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from cuello.comparison.collect import listed
from cuello.comparison.facts import read_facts
from cuello.comparison.groups import make_rows
from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError
from cuello.core.files import check_free
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, listener
from cuello.core.settings import OnError
from cuello.data.folders import check_outside
from cuello.data.handed import from_python
from cuello.inference.model import Model, artefact_at, load
from cuello.jobs.base import Request
from cuello.jobs.images.benchmark import Benchmark, Entrant, benchmark_yardstick
from cuello.jobs.images.benchmark_page import FILES, save_benchmark
from cuello.jobs.images.benchmark_set import Ranges, benchmark_set
from cuello.runs.directory import Run
from cuello.scoring.published import Yardstick
from cuello.training.watched import watched

Named = Model | str | PathLike[str]
Runs = Named | Sequence[Named]


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello benchmark`.
@names_own
@caller_kept()
@watched()
@from_python("images")
def benchmark(
    images: Any,
    runs: Runs,
    *,
    noise: str | None = None,
    sweep: Sequence[float] = (),
    ranges: Ranges = "middle",
    channels: Literal[1, 3] | None = None,
    baselines: Sequence[Any] | str | None = None,
    seed: int = 0,
    range: str | tuple[float, float] | None = None,
    on_error: OnError = "skip",
    most: int | None = None,
    code: Any = None,
    device: str = "cpu",
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: OnProgress | bool | None = None,
) -> Benchmark:
    """Measure one or several networks on a published yardstick, or on clean images of yours.

    images: ``set5`` (enlarging by 2, 3 or 4, as the network does), ``set12``, ``bsd68`` or in colour ``cbsd68``
    (Gaussian noise of σ = 15, 25 and 50 out of 255, not cut to [0, 1]), ``classic5`` or ``live1`` (grey JPEG of the
    qualities 10, 20, 30 and 40), measured as the literature does; or a folder of clean images, a file, a data set, or
    images from Python as for ``cuello.train``, which are spoiled by ``noise`` and measured whole, beside classical
    methods.
    runs: a model, a run directory, a model's file, or several; a folder of repeats is one network, mean ± standard
    deviation. noise: what spoils images of yours, by default what all networks were trained against. sweep: levels of
    it. ranges: what a range of the noise comes to: its ``middle``, or a value ``drawn`` anew for every image. channels:
    1 to measure in grey, 3 in colour, which goes through a network of one channel a channel at a time; by default as
    the network of the fewest takes them. baselines: names of classical methods, by default the quick ones. seed: of the
    noise; every image and level has its own. range, on_error: as for ``cuello.evaluate``. most: images at most, spread
    evenly. code: FILE.py:CLASS, where networks are somebody's own; a list of them for several. output: a folder for
    benchmark.html, benchmark.csv and figures. progress: called with events.
    A network that takes the noise's level is told it.

    Raises CuelloError for networks of another job or scale, and images that are not there.

    Example: ``cuello.benchmark("set5", "runs/first").row(2).score("psnr").mean``
    """
    named: Sequence[Any] = [runs] if isinstance(runs, Model | str | PathLike) else list(runs)
    if not named:
        raise CuelloError("name at least one network: a run directory, or its model.safetensors.")
    folder = Path(output).expanduser() if output is not None else None
    is_yardstick = str(images) in get_args(Yardstick) and noise is None
    if folder is not None:
        check_outside(images, folder)
        check_free(folder, FILES, overwrite)
    entrants = entrants_of(named, None if isinstance(code, list | tuple) else code, device)
    request = Request(
        Path(), images, noise=noise, sweep=sweep, baselines=baselines, seed=seed, range=range, on_error=on_error,
        most=most, progress=listener(progress),
    )  # fmt: skip
    if is_yardstick:
        refuse_settings(str(images), request, ranges=None if ranges == "middle" else ranges, channels=channels)
        found = benchmark_yardstick(str(images), entrants, seed=seed, progress=request.progress)  # type: ignore[arg-type]
    else:
        if ranges not in get_args(Ranges):
            raise CuelloError(f"got --ranges={ranges}, needed middle or drawn.")
        if channels not in (None, 1, 3):
            raise CuelloError(f"got --channels={channels}, needed 1 (grey) or 3 (colour).")
        found = benchmark_set(entrants, request, ranges=ranges, channels=channels)
    if folder is not None:
        save_benchmark(folder, found)
    return found


def refuse_settings(name: str, request: Request, **others: Any) -> None:
    """Raise CuelloError for what a yardstick settles itself; others: settings that are not of the request."""
    asked = {setting: getattr(request, setting) for setting in ("sweep", "baselines", "range", "most")}
    for setting, value in {**asked, **others}.items():
        if value not in (None, ()):
            raise CuelloError(
                f"got --{setting}, but {name} is measured as the literature does. Leave it out, or take {name} as "
                "plain images with e.g. --noise=gaussian:25."
            )


def entrants_of(runs: Sequence[Named], code: Any, device: str) -> list[Entrant]:
    """Load what was named; a single network is called by its architecture, several by their folders.

    Runs that are the same but for the seed are one entrant. Raises CuelloError for what cannot be loaded or is named
    twice.
    """
    found: list[Entrant] = [Entrant(run.artefact.architecture.name, {0: run}) for run in runs if isinstance(run, Model)]
    facts = []
    for path, label in listed([run for run in runs if not isinstance(run, Model)]):
        if Run(path).config_path.is_file() and Run(path).history_path.is_file():
            facts.append(read_facts(Run(path), label))
        else:
            found.append(Entrant(label if path.exists() else str(path), {0: load(path, code_for(path, code), device)}))
    if len({one.run.path.resolve() for one in facts}) < len(facts):
        raise CuelloError("a run is named twice. Name each once.")
    for row in make_rows(facts) if facts else ():
        models = {one.config.seed: load(one.run.path, code_for(one.run.path, code), device) for one in row.runs}
        found.append(Entrant(row.label, models))
    if len(found) == 1:
        return [Entrant(found[0].first.artefact.architecture.name, found[0].models)]
    names = [entrant.name for entrant in found]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise CuelloError(f"two networks are called {doubled!r}: name folders of different names.")
    return found


def code_for(path: Path, code: Any) -> Any:
    """Return the code for what is somebody's own; None for Cuello's own networks, which need none."""
    return code if artefact_at(path).architecture.kind == "custom" else None
