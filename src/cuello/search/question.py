"""What a search asks, checked before any training: which trials, of what, and what the best is the best by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cuello.core.config import AUTO, TrainConfig
from cuello.core.errors import CuelloError, closest
from cuello.core.settings import SearchSettings
from cuello.jobs.catalog import JOBS
from cuello.models.autoencoder.names import is_description, parse_description
from cuello.models.autoencoder.parts import PARTS
from cuello.search.entries import search_space
from cuello.search.space import Choices, Space
from cuello.search.trials import LOSS, Objective, objectives_of
from cuello.work.train import UNCOMPARED, resolve

SAMPLERS = ("grid", "random", "tpe")
DEFAULT_TRIALS = 30
VALIDATED_ON = (
    "noise", "target", "channels", "crop", "crops", "resize", "range", "validation", "validation_samples", "test",
    "fold", "split_seed", "method", "noisy_target",
)  # fmt: skip
"""Settings that change what a trial is validated on."""


@dataclass(frozen=True)
class Question:
    """What a search asks.

    trials: how many are drawn; points: how many numbers of each range a grid has. first: the first combination's whole
    configuration. warmup: epochs in which no trial is pruned. notes: what the reader of the result must know. database:
    the address, without a password, of the one that machines share, and study_name: the search's name there.
    """

    job: str
    data: str
    space: Space
    sampler: str
    trials: int
    points: int | None
    objective: Objective
    prune: bool
    repeats: int
    first: TrainConfig
    warmup: int
    notes: tuple[str, ...]
    database: str = ""
    study_name: str = ""

    @property
    def seeds(self) -> range:
        """Of the repeats; the first is also that of what is drawn."""
        return range(self.first.seed, self.first.seed + self.repeats)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings of a trial but the seed."""
        return {"job": self.job, "data": self.data, **self.space.settings(values)}

    def as_json(self) -> dict[str, Any]:
        """Return what may not change when a search goes on."""
        fixed = {name: value for name, value in self.space.fixed.items() if name not in UNCOMPARED}
        return {
            "job": self.job, "data": self.data, "sampler": self.sampler, "points": self.points,
            "objective": self.objective.name, "prune": self.prune, "repeats": self.repeats,
            "values": self.space.as_json(), "settings": fixed,
            **({"study_name": self.study_name} if self.study_name else {}),
        }  # fmt: skip


def make_question(
    job: str, data: str, space: Mapping[str, Any], *, settings: Mapping[str, Any], search: SearchSettings
) -> Question:
    """Check what is asked for and return it; CuelloError for the first mistake."""
    sampler, trials, points, objective = search.sampler, search.trials, search.points, search.objective
    objectives = objectives_of(JOBS[job])
    measured = [name for name in objectives if name != LOSS.name]
    for name, value, known in (("sampler", sampler, SAMPLERS), ("objective", objective, tuple(objectives))):
        if value is not None and value not in known:
            raise CuelloError(f"{name}: got {value!r}, needed {', '.join(known)}.{closest(value, known)}")
    for name, number, least in (("trials", trials, 1), ("points", points, 2), ("repeats", search.repeats, 1)):
        if number is not None and number < least:
            raise CuelloError(f"{name}: got {number}, needed {least} or more.")
    if sampler == "grid" and (trials is not None or search.prune):
        flag, why = (
            ("--trials", "makes every trial of it") if trials is not None else ("--prune=True", "makes each whole")
        )
        raise CuelloError(f"a grid {why}: leave out {flag}, or draw trials with --sampler=tpe or random.")
    if sampler != "grid" and points is not None:
        raise CuelloError(f"--points is for grids; --sampler={sampler} draws from all of a range. Leave it out.")
    searched = search_space(space, settings)
    configs = [checked_config(job, data, searched, values=values) for values in searched.variants()]
    chosen = sorted({config.model for config in configs})
    named = {*searched.axes, *(name for name, value in searched.fixed.items() if value != AUTO)}
    unnamed = not named & {"model", *PARTS}
    if unnamed and len(chosen) == 1:
        searched = replace(searched, fixed={**searched.fixed, "model": chosen[0]})  # chosen once, for all
    check_blind_search(configs, objective)
    unlike = unlike_losses(configs)
    if unlike and objective == "loss":
        raise CuelloError(
            f"objective: trials differ in {unlike}, so that their losses cannot be compared. Needed: "
            f"{' or '.join(measured)}."
        )
    notes = notes_on(configs)
    if unnamed:
        notes.append(f"No network was named: chosen by the noise, or by the images' size, {' or '.join(chosen)}.")
    if unlike and objective is None:
        notes.append(f"Trials differ in {unlike}, so that their losses cannot be compared: another score decides.")
    return Question(
        job, data, searched, sampler=sampler, trials=trials or DEFAULT_TRIALS, points=points, prune=search.prune,
        objective=objectives[objective or (measured[0] if unlike else LOSS.name)], repeats=search.repeats,
        first=configs[0], warmup=max(1, min(config.epochs for config in configs) // 5), notes=tuple(notes),
        database=search.database or "", study_name=search.study_name or "",
    )  # fmt: skip


def checked_config(job: str, data: str, space: Space, values: Mapping[str, Any]) -> TrainConfig:
    """Return a trial's whole configuration; CuelloError, with the trial's values, where it cannot be."""
    try:
        config = resolve({"job": job, "data": data, **space.settings(values)})
        JOBS[job].pairing(config)
    except CuelloError as error:
        told = ", ".join(f"{name} = {values[name]!r}" for name in space.needed(values))
        raise CuelloError(f"{error} (The trial: {told}.)") from None
    return config


def check_blind_search(configs: Sequence[TrainConfig], objective: str | None) -> None:
    """Raise CuelloError where trials that learn from noisy images alone could not be put in an order."""
    methods = {config.method for config in configs}
    if len(methods) > 1:
        ways = ", ".join(sorted(method or "from clean images" for method in methods))
        raise CuelloError(
            f"trials differ in method ({ways}), each of which counts its loss in its own way: needed one for all. "
            "Train with each, and compare by the error that is estimated: cuello evaluate RUN."
        )
    if methods != {None} and objective not in (None, LOSS.name):
        raise CuelloError(
            f"got --objective={objective} for learning from noisy images alone: there are no clean ones to measure "
            "with. Leave it out: the loss decides, whose mean follows the error against the clean images."
        )


def unlike_losses(configs: Sequence[TrainConfig]) -> str:
    """Return in what trials differ so that their losses mean different things, or ""."""
    if len({config.loss for config in configs}) > 1:
        return "loss"
    bottlenecks = {
        str(parse_description(config.model).settings["bottleneck"]) if is_description(config.model) else ""
        for config in configs
    }
    return "the bottleneck, which adds to the loss" if len(bottlenecks) > 1 else ""


def notes_on(configs: Sequence[TrainConfig]) -> list[str]:
    """Say in what trials differ so that they are validated on different images."""
    unlike = [name for name in VALIDATED_ON if len({getattr(config, name) for config in configs}) > 1]
    if not unlike:
        return []
    names = ", ".join(name.replace("_", " ") for name in unlike)
    return [f"Trials differ in {names}: they are validated on different images, and the best may have had the easiest."]


def values_in_words(space: Space) -> list[list[str]]:
    """Return a row for each searched key: its name, and its values as text."""
    rows = []
    for name, axis in space.axes.items():
        if isinstance(axis, Choices):
            words = ", ".join(map(as_words, axis.values))
        else:
            words = f"{axis.low:g} to {axis.high:g}{', log' if axis.log else ''}"
            words += f", step {axis.step:g}" if axis.step else ""
        rows.append([label_of(name), words])
    return rows


def label_of(name: str) -> str:
    """Return a key as people read it."""
    return name.replace("_", " ")


def as_words(value: Any) -> str:
    """Return a value as people read it.

    >>> [as_words(value) for value in (0.001, 0.0123456, 16, True, None, "adam")]
    ['0.001', '0.01235', '16', 'yes', 'none', 'adam']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
