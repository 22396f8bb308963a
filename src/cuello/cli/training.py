"""The commands that train. Loaded when they are called: every setting of TrainConfig becomes a flag here."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from pydantic_core import PydanticUndefined

from cuello.cli.options import JSON, OwnCode, Quiet, Sweep, Track, levels, names
from cuello.core.config import DATA, MACHINE, NETWORK, STOPPING, TASK, TRAINING, TrainConfig, read_toml
from cuello.core.errors import CuelloError

if TYPE_CHECKING:
    from cuello.runs.directory import Run


def train(
    job: str | None = None,
    data: str | None = None,
    *,
    output: Path | None = None,
    config: Path | None = None,
    overwrite: bool = False,
    report: bool = True,
    sweep: str | None = None,
    track: str | None = None,
    repeats: int = 1,
    json: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> None:
    """Train a network, judge it beside the classical methods and write a report: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.work import train as workflow

    given = {"job": job, "data": data} | settings
    merged = (read_toml(config) if config else {}) | {name: value for name, value in given.items() if value is not None}
    with display(quiet or json) as shown:
        common: dict[str, Any] = {
            **{"job": "denoise", "data": "photos"} | merged,
            "output": output, "overwrite": overwrite, "report": report, "sweep": levels(sweep),
            "observers": [shown.observe], "progress": shown.work,
        }  # fmt: skip
        if repeats != 1:
            from cuello.work.repeats import train_repeats

            if track:
                raise CuelloError("--track follows one training, not --repeats. Leave one of them out.")
            runs = train_repeats(repeats=repeats, **common)
        else:
            runs = [workflow.train(**common, track=names(track))]
    if repeats != 1:
        say_repeats(runs, json)
    else:
        say_run(runs[0].path, report, json)


def train_signature() -> inspect.Signature:
    """Return train's signature with every setting of TrainConfig as a flag: declared once, there."""
    keyword, positional = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    panels = {
        name: Group(name, sort_key=order)
        for order, name in enumerate((TASK, DATA, NETWORK, TRAINING, STOPPING, MACHINE), 1)
    }
    parameters, flags = [], []
    for name, field in TrainConfig.model_fields.items():
        group = field.json_schema_extra["group"] if isinstance(field.json_schema_extra, dict) else TASK
        about = Parameter(
            help=field.description,
            group=panels[str(group)],
            negative="" if field.default is not False else None,
            allow_leading_hyphen=name == "range",  # --range -1000..3000
        )
        if name in ("job", "data"):
            kind = Annotated[field.annotation | None, about]  # type: ignore[operator]
            parameters.append(inspect.Parameter(name, positional, default=None, annotation=kind))
        else:
            default = None if field.default is PydanticUndefined else field.default
            kind = Annotated[field.annotation, about]  # type: ignore[valid-type]
            flags.append(inspect.Parameter(name, keyword, default=default, annotation=kind))
    own = {
        "output": Annotated[Path | None, Parameter(alias="-o", help="The run directory; by default runs/JOB-MODEL.")],
        "config": Annotated[Path | None, Parameter(help="A TOML file of settings; flags win over it.")],
        "overwrite": Annotated[bool, Parameter(negative="", help="Replace an earlier run in the same place.")],
        "report": Annotated[bool, Parameter(help="Evaluate and write the report.")],
        "sweep": Sweep,
        "track": Track,
        "repeats": Annotated[
            int,
            Parameter(
                help="Train so many times, with seeds SEED, SEED + 1, …, in OUTPUT/seed-N, and compare. The same "
                "command again keeps what is finished and goes on with the rest."
            ),
        ],
        "json": JSON,
        "quiet": Quiet,
    }
    defaults = {"overwrite": False, "report": True, "repeats": 1, "json": False, "quiet": False}
    parameters += [
        inspect.Parameter(name, keyword, default=defaults.get(name), annotation=kind) for name, kind in own.items()
    ]
    return inspect.Signature(parameters + flags)


SIGNATURE = train_signature()
train.__signature__ = SIGNATURE  # type: ignore[attr-defined]
train.__annotations__ = {name: parameter.annotation for name, parameter in SIGNATURE.parameters.items()}


def resume(
    run: Annotated[Path, Parameter(help="The run directory.")],
    /,
    *,
    epochs: Annotated[int | None, Parameter(help="Train up to this many epochs in all.")] = None,
    max_minutes: Annotated[
        float | None, Parameter(help="Stop when this time, earlier parts included, is over.")
    ] = None,
    patience: Annotated[int | None, Parameter(help="Stop after so many epochs without improvement.")] = None,
    device: Annotated[str | None, Parameter(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    threads: Annotated[int | None, Parameter(help="Processor threads; another number rounds sums differently.")] = None,
    storage: Annotated[
        Literal["auto", "memory", "stream"] | None,
        Parameter(help="Images in memory, or streamed from their files; the result is the same."),
    ] = None,
    model: OwnCode = None,
    report: Annotated[bool, Parameter(help="Evaluate and write the report.")] = True,
    sweep: Sweep = None,
    track: Track = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a training: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.work import train as workflow

    given = {
        "epochs": epochs, "max_minutes": max_minutes, "patience": patience, "device": device, "threads": threads,
        "storage": storage,
    }  # fmt: skip
    with display(quiet or json) as shown:
        workflow.resume(
            run,
            network=model,
            report=report,
            sweep=levels(sweep),
            observers=[shown.observe],
            track=names(track),
            progress=shown.work,
            **{name: value for name, value in given.items() if value is not None},
        )
    say_run(run, report, json)


def say_run(path: Path, report: bool, json: bool) -> None:
    """Say where a run lies and what it reached."""
    from cuello.cli.progress import reached_text
    from cuello.cli.render import print_json, print_shown
    from cuello.jobs.catalog import JOBS
    from cuello.runs.directory import Run
    from cuello.runs.history import as_json, best_epoch

    run = Run(path)
    best = best_epoch(run.history)
    if json:
        found = {"run": str(path), "epochs": len(run.history), "best_epoch": best.epoch if best else None}
        known = as_json(best) if best else {}
        names = ("validation_mse", "validation_psnr", "validation_accuracy")
        found |= {name: known[name] for name in names if name in known}
        print_json(found | ({"evaluation": run.metrics} if report else {}))
        return
    if report:
        print_shown(JOBS[run.config.job].reached_words(run.metrics))
        print(f"report: {run.report_path}")
    elif best:
        error = f"MSE {best.validation_mse:.5f}, " if "validation_mse" in as_json(best) else ""
        print(f"best epoch {best.epoch}: validation {error}{reached_text(best)}")
    print(f"model:  {run.model_path}")


def say_repeats(runs: "Sequence[Run]", json: bool) -> None:
    """Say what repeats reached, mean ± standard deviation, and where their comparison lies."""
    from dataclasses import asdict

    from cuello.cli.render import print_json
    from cuello.jobs.catalog import JOBS
    from cuello.work.repeats import reached

    folder, found = runs[0].path.parent, reached(runs)
    if json:
        spreads = {name: asdict(value) for name, value in found.items()}
        print_json({"runs": [str(run.path) for run in runs], "page": str(folder / "compare.html"), **spreads})
        return
    job = JOBS[runs[0].config.job]
    for name, scores in (("validation", job.scores), ("evaluation", job.results)):
        spreads = [(score, found[f"{name}_{score.name}"]) for score in scores if f"{name}_{score.name}" in found]
        if spreads:
            reached_words = "  ".join(
                f"{score.label} {score.text(one.mean)} ± {score.text(one.deviation)}"
                f"{f' {score.unit}' if score.unit == 'dB' else ''}"
                for score, one in spreads
            )
            print(f"{name}, {spreads[0][1].count} repeats: {reached_words}")
    print(f"comparison: {folder / 'compare.html'}")
