"""A search's pictures: its trials as dots, its searched settings as panels."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cuello.jobs.catalog import JOBS
from cuello.report.figures import Theme, save_both
from cuello.report.page import Picture
from cuello.search.figures import Dot, ObjectiveScale, Panel, settings_picture, size_picture, trials_picture
from cuello.search.question import Question, as_words, label_of
from cuello.search.space import Axis, Choices
from cuello.search.trials import Trial


def pictures(folder: Path, question: Question, trials: Sequence[Trial]) -> list[Picture]:
    """Draw the search's pictures and keep the light ones in a folder."""
    scale, axes = ObjectiveScale(axis_label(question), question.objective.sign > 0), question.space.axes
    dots = [
        Dot(
            trial.number, ", ".join(map(as_words, trial.values.values())), trial.reached.objective,
            finished=trial.state == "finished", parameters=trial.reached.parameters,
            values={name: place_of(value, axes[name]) for name, value in trial.values.items()},
        )
        for trial in trials
        if trial.reached is not None
    ]  # fmt: skip
    failed = [trial.number for trial in trials if trial.state == "failed"]
    panels = [
        Panel(name, label_of(name), list(map(as_words, axis.values)))
        if isinstance(axis, Choices)
        else Panel(name, label_of(name), None, log=axis.log)
        for name, axis in axes.items()
    ]
    hollow = " Hollow: pruned, the best until then." if any(not dot.finished for dot in dots) else ""
    beyond = " At the upper edge: beyond the scale." if any(dot.value > scale.top(dots) for dot in dots) else ""
    note = (
        f"One dot per trial, the best in orange; bars are medians.{hollow} Further {'down' if scale.less else 'up'} is "
    )
    note += f"better.{beyond}"

    def picture(name: str, draw: Callable[[Theme], bytes], alt: str, note: str = "") -> Picture:
        return Picture(save_both(folder, name, draw), f"{scale.words} {alt}", note)

    every = partial(settings_picture, dots, panels, scale)
    made = [picture("settings", every, "against every searched setting", note=note)]
    if len(dots) > 1:
        by_trial = partial(trials_picture, dots, failed, scale)
        made.append(picture("trials", by_trial, "by trial, with the best so far"))
    if len({dot.parameters for dot in dots if dot.finished}) > 1:
        note = "Orange: no trial of the same size or smaller is better."
        by_size = partial(size_picture, dots, scale)
        made.append(picture("size", by_size, "against the number of trainable parameters", note=note))
    return made


def axis_label(question: Question) -> str:
    """Name the objective with its unit."""
    units = {score.name: score.unit for score in JOBS[question.job].scores if score.unit not in ("", "%")}
    unit = units.get(question.objective.name)
    return f"{question.objective.words}, {unit}" if unit else question.objective.words


def place_of(value: Any, axis: Axis) -> Any:
    """Place a value: a choice at its place, from 0, a number of a range where it is."""
    return axis.values.index(value) if isinstance(axis, Choices) else value
