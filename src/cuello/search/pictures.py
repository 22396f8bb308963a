"""A search's pictures: its trials as dots, its searched settings as panels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cuello.jobs.catalog import JOBS
from cuello.report.figures import save_both
from cuello.report.page import Picture
from cuello.search.figures import Dot, Panel, Scale, settings_picture, size_picture, trials_picture
from cuello.search.question import Question, as_words, label_of
from cuello.search.space import Axis, Choices
from cuello.search.trials import Trial


def pictures(folder: Path, question: Question, trials: Sequence[Trial]) -> list[Picture]:
    """Draw the search's pictures and keep the light ones in a folder."""
    scale = Scale(axis_label(question),
                  question.objective.sign > 0)  # fmt: skip
    axes = question.space.axes
    dots = [
        Dot(
            trial.number, ", ".join(map(as_words, trial.values.values())), trial.reached.objective,
            trial.state == "finished",
            {name: place_of(value, axes[name]) for name, value in trial.values.items()},
            trial.reached.parameters,
        )
        for trial in trials
        if trial.reached is not None
    ]  # fmt: skip
    failed = [trial.number for trial in trials if trial.state == "failed"]
    panels = [
        Panel(name, label_of(name), list(map(as_words, axis.values)))
        if isinstance(axis, Choices)
        else Panel(name, label_of(name), None, axis.log)
        for name, axis in axes.items()
    ]
    hollow = " Hollow: pruned, the best until then." if any(not dot.finished for dot in dots) else ""
    beyond = " At the upper edge: beyond the scale." if any(dot.value > scale.top(dots) for dot in dots) else ""
    made = [
        Picture(
            save_both(folder, "settings", lambda theme: settings_picture(dots, panels, scale, theme)),
            f"{scale.words} against every searched setting",
            f"A dot a trial, the best in orange; bars are medians.{hollow} Further {'down' if scale.less else 'up'} is "
            f"better.{beyond}",
        ),
    ]
    if len(dots) > 1:
        made.append(
            Picture(
                save_both(folder, "trials", lambda theme: trials_picture(dots, failed, scale, theme)),
                f"{scale.words} by trial, with the best so far",
            )
        )
    if len({dot.parameters for dot in dots if dot.finished}) > 1:
        made.append(
            Picture(
                save_both(folder, "size", lambda theme: size_picture(dots, scale, theme)),
                f"{scale.words} against the number of trainable parameters",
                "Orange: no trial of the same size or smaller is better.",
            )
        )
    return made


def axis_label(question: Question) -> str:
    """Return the objective's name with its unit."""
    units = {score.name: score.unit for score in JOBS[question.job].scores if score.unit not in ("", "%")}
    unit = units.get(question.objective.name)
    return f"{question.objective.words}, {unit}" if unit else question.objective.words


def place_of(value: Any, axis: Axis) -> Any:
    """Return where a value is drawn: a choice at its place, from 0, a number of a range where it is."""
    return axis.values.index(value) if isinstance(axis, Choices) else value
