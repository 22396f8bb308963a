"""A search's trials: what each is, what it reached, and search.json, where all of them are written down."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from cuello.comparison.facts import known, read_facts
from cuello.comparison.page import loss_text
from cuello.core.errors import CuelloError
from cuello.core.files import make_folder
from cuello.core.lock import is_unused
from cuello.core.schema import read_json
from cuello.jobs.base import Job
from cuello.runs.directory import Run, write_json
from cuello.runs.history import EpochRecord
from cuello.scoring.repeats import spread

FORMAT = 1
STATE_NAME, TRIALS_NAME = "search.json", "trials"
State = Literal["running", "finished", "pruned", "failed"]


@dataclass(frozen=True)
class Objective:
    """What the best trial is the best by.

    name: for flags. words: for people. value: its number of an epoch. text: how that is written. sign: -1 where more is
    better.
    """

    name: str
    words: str
    value: Callable[[EpochRecord], float]
    text: Callable[[float], str] = loss_text
    sign: int = 1


LOSS = Objective("loss", "validation loss", lambda epoch: epoch.validation_loss)


def objectives_of(job: Job) -> dict[str, Objective]:
    """Return what the best trial of a job can be the best by: the loss, and what the job measures after every epoch,
    of binary images too.
    """
    found = {LOSS.name: LOSS}
    for score in (*job.scores, *job.binary):
        form = loss_text if not score.unit else (lambda value, score=score: score.with_unit(value))
        sign = -1 if score.higher_is_better else 1
        value = attrgetter(f"validation_{score.name}")
        found[score.name] = Objective(score.name, f"validation {score.label}", value, text=form, sign=sign)
    return found


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What a trial's training came to.

    objective: the mean over its repeats; deviation: their standard deviation, None for a single one. validation_…: the
    loss and what the job measures: means, each at its run's best epoch; None for what is not measured. epochs,
    best_epoch: of the first run. seconds: all epochs of all repeats.
    """

    objective: float
    deviation: float | None
    parameters: int
    epochs: int
    best_epoch: int
    validation_loss: float
    validation_mse: float | None = None
    validation_psnr: float | None = None
    seconds: float
    validation_accuracy: float | None = None
    validation_wrong: float | None = None


@dataclass(frozen=True)
class Trial:
    """One combination of values, and what became of it.

    values: by searched key. name: of its folder in trials/. message: why it failed or was pruned. reached: None where
    it failed, or is not done. where: HOST:FOLDER of the search that made it, "" where that is this one.
    """

    number: int
    name: str
    values: Mapping[str, Any]
    state: State = "running"
    message: str = ""
    reached: Reached | None = None
    where: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state != "running"


def runs_of(folder: Path, trial: Trial, seeds: Sequence[int]) -> list[Run]:
    """Return a trial's run directories, perhaps on another machine: its folder itself, or one in it for each of several
    seeds. folder: the search's.
    """
    own = (Path(trial.where.partition(":")[2]) if trial.where else folder) / TRIALS_NAME / trial.name
    return [Run(own / f"seed-{seed}") for seed in seeds] if len(seeds) > 1 else [Run(own)]


def ranked(trials: Iterable[Trial], objective: Objective) -> list[tuple[Trial, Reached]]:
    """Return the finished trials with what they reached, the best first; of equal ones that with the lower loss."""
    finished = [(trial, trial.reached) for trial in trials if trial.state == "finished" and trial.reached is not None]
    return sorted(finished, key=lambda pair: (objective.sign * pair[1].objective, pair[1].validation_loss))


def outcome(runs: Sequence[Run], objective: Objective) -> Reached | None:
    """Return what a trial's runs have reached so far; None where none has ended an epoch."""
    facts = [read_facts(run, run.path.name) for run in runs if run.history_path.is_file() and run.history]
    if not facts:
        return None
    reached = spread([objective.value(run.best) for run in facts])
    job, best = facts[0].job, [run.best for run in facts]
    measures = [f"validation_{score.name}" for score in (*job.scores, *job.binary)]
    measures = [name for name in measures if all(known(getattr(epoch, name)) is not None for epoch in best)]
    return Reached(
        objective=reached.mean,
        deviation=None if math.isnan(reached.deviation) else reached.deviation,
        parameters=facts[0].parameters,
        epochs=len(facts[0].history),
        best_epoch=facts[0].best.epoch,
        validation_loss=fmean(run.best.validation_loss for run in facts),
        **{name: fmean(getattr(epoch, name) for epoch in best) for name in measures},
        seconds=round(sum(run.seconds for run in facts), 3),
    )


def read_trials(folder: Path, asked: Mapping[str, Any]) -> dict[int, Trial]:
    """Return the trials in a search's folder by number, none where the search is new.

    asked: what the search is. Raises CuelloError where the folder holds something else, or another search.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        if not is_unused(folder):
            raise CuelloError(f"{folder} exists and holds no search: choose another place with --output.")
        return {}
    try:
        content = read_json(path.read_text("utf-8"))
        found = {entry["number"]: trial_of(entry) for entry in content["trials"]}
        other = difference(content["asked"], asked)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CuelloError(f"{path} is damaged. Choose another place with --output, or remove {folder}.") from None
    if other is not None:
        raise CuelloError(
            f"{folder} holds a search with {other}. Ask for the same to go on with it, or choose another place with "
            "--output."
        )
    return found


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Say the first thing in which what was asked differs from what is asked now; None where nothing does."""
    old, new = flat(before), flat(now)
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            return f"{name} = {old.get(name)!r}, now it is {new.get(name)!r}"
    return None


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return a trial for JSON, without the measures that its job does not have."""
    found = {name: value for name, value in asdict(trial).items() if name != "where" or value}
    if trial.reached is not None:
        found["reached"] = known_values(trial.reached)
    return found


def known_values(reached: Reached) -> dict[str, Any]:
    """Return what a trial reached by name, without the measures that its job does not have."""
    values = asdict(reached)
    return {name: value for name, value in values.items() if value is not None or not name.startswith("validation_")}


def trial_of(entry: Mapping[str, Any]) -> Trial:
    """Return a trial as search.json has it."""
    reached = entry["reached"]
    return Trial(**{**entry, "reached": None if reached is None else Reached(**reached)})


def flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for without nesting, as JSON would give it back."""
    plain = json.loads(json.dumps(asked))
    nested = {key: value for key, value in plain.items() if isinstance(value, dict)}
    return {key: value for key, value in plain.items() if key not in nested} | {
        key if group == "settings" else f"{group} of {key}": value
        for group, values in nested.items()
        for key, value in values.items()
    }


def save_trials(folder: Path, asked: Mapping[str, Any], trials: Mapping[int, Trial], total: int) -> None:
    """Write search.json: what was asked for, how far it is, and every trial."""
    make_folder(folder)
    over = sum(trial.over for trial in trials.values())
    write_json(
        folder / STATE_NAME,
        {
            "format": FORMAT,
            "asked": asked,
            "state": "finished" if over >= total else "unfinished",
            "trials": [trial_json(trials[number]) for number in sorted(trials)],
        },
    )


def folder_name(number: int, values: Mapping[str, Any], total: int) -> str:
    """Return NNN-VALUES: the name of a trial's folder.

    >>> folder_name(7, {"widths": "20-2", "activation": "relu", "learning_rate": 0.0123456}, 60)
    '007-20-2-relu-0.0123'
    """
    words = "-".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values.values())
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-._") else "-" for letter in words)
    return f"{number:0{max(3, len(str(total - 1)))}}-{safe[:40].strip('-.')}"
