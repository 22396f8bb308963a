"""What a search found: search.csv, search.html and its figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cuello.comparison.page import NONE, duration, loss_text, spread_text
from cuello.core.files import write_text
from cuello.data.catalog import CATALOG
from cuello.jobs.base import Score
from cuello.jobs.catalog import JOBS
from cuello.report.page import Command, Section, Table, write_page
from cuello.report.result import csv_text
from cuello.runs.directory import Run, environment
from cuello.runs.history import best_epoch
from cuello.scoring.repeats import Spread, paired_difference
from cuello.search.pictures import pictures
from cuello.search.question import Question, as_words, label_of, values_in_words
from cuello.search.samplers import JOURNAL_NAME
from cuello.search.trials import TRIALS_NAME, Objective, Reached, Trial, known_values, ranked, runs_of
from cuello.work.train import command_for, resolve

CSV_NAME, PAGE_NAME = "search.csv", "search.html"
MOST_ROWS = 20
"""So many trials are in the page's table; search.csv has all."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    best: the best trial. trials: all of them by number. page: search.html. verdict: the result in words. command: what
    trains the best trial again. run: the best trial's run directory, that of its first seed where there are several; on
    the machine that best.where names. table: of the best trials, for the terminal.
    """

    best: Trial
    trials: tuple[Trial, ...]
    page: Path
    verdict: str
    command: str
    run: Run
    table: Table


def write_results(folder: Path, question: Question, trials: Mapping[int, Trial], total: int) -> Found:
    """Write search.csv, search.html and figures/*.png; one trial at least is finished."""
    listed = [trials[number] for number in sorted(trials)]
    order = ranked(listed, question.objective)
    best = order[0][0]
    run = runs_of(folder, best, question.seeds)[0]
    settings = {**question.settings(best.values), "seed": question.seeds[0]}
    again = command_for(resolve(settings) if best.where else run.config)
    again += f" --repeats {question.repeats}" if question.repeats > 1 else ""
    found = Found(
        best, tuple(listed), folder / PAGE_NAME, verdict=verdict(folder, question, listed, total=total), command=again,
        run=run, table=best_table(question, order, False),
    )  # fmt: skip
    write_text(folder / CSV_NAME, csv_text(csv_rows(question, listed)))
    sections = [
        Section("The best", parts=[best_table(question, order, True)]),
        Section("Train the best again", best_text(found, question), [Command(found.command)]),
        Section("Pictures", parts=pictures(folder / "figures", question, listed)),
        *left_out_sections(question, listed),
        how_section(folder, question),
    ]
    searched = f"{question.job}, {question.data}: {', '.join(label_of(name) for name in question.space.axes)}"
    write_page(found.page, "Search", searched, verdict=found.verdict, sections=sections, environment=environment())
    return found


def verdict(folder: Path, question: Question, trials: Sequence[Trial], total: int) -> str:
    """Say in a few sentences which trial is the best, by how much, and how sure that is."""
    objective, order = question.objective, ranked(trials, question.objective)
    (best, reached), *others = order
    of = f"{len(order)} trials" if len(order) == total else f"{len(order)} finished trials"
    said = f"The best of {of} is trial {best.number}, {objective.words} {in_numbers(reached, objective)}: "
    said += f"{in_words(best)}."
    for second, its in others[:1]:
        said += f" Next is trial {second.number}, {in_numbers(its, objective)}; "
        said += told_apart(folder, question, best, second=second)
    failed = sum(trial.state == "failed" for trial in trials)
    missing = total - sum(trial.over for trial in trials)
    said += f" {failed} failed." if failed else ""
    return said + (f" {missing} are not finished yet." if missing else "")


def told_apart(folder: Path, question: Question, best: Trial, second: Trial) -> str:
    """Say whether repeats bear out that one trial is better than another."""
    if question.repeats < 3:
        return "without three repeats it cannot be told whether that is chance."
    if best.where or second.where:
        return "their run directories are not all here, where it could be told whether that is chance."
    values = []
    for trial in (best, second):
        bests = {run.config.seed: best_epoch(run.history) for run in runs_of(folder, trial, question.seeds)}
        values.append({seed: question.objective.value(epoch) for seed, epoch in bests.items() if epoch is not None})
    found = paired_difference(*values)
    return f"{found.count} repeats {'tell' if found.told_from_zero else 'cannot tell'} them apart."


def in_numbers(reached: Reached, objective: Objective) -> str:
    """Write a trial's objective, with its deviation over repeats."""
    text = objective.text(reached.objective)
    return text if reached.deviation is None else f"{text} ± {objective.text(reached.deviation)}"


def in_words(trial: Trial) -> str:
    return ", ".join(f"{label_of(name)} {as_words(value)}" for name, value in trial.values.items())


def best_text(found: Found, question: Question) -> list[str]:
    """Say what the best trial's score is worth."""
    said = []
    closed = question.data in CATALOG and CATALOG[question.data].closed
    if len(found.trials) > 1 and question.first.test != 0 and not closed:
        said.append(
            "On the validation images, by which it was chosen, the best of many looks better than it is. Judge it on "
            f"images that no trial has seen{on_host(found.best)}: cuello evaluate {found.run.path}"
        )
    return [*said, *question.notes]


def on_host(trial: Trial) -> str:
    """Say on which machine a trial lies, where it is not in this search's folder."""
    return f", on {trial.where.partition(':')[0]}" if trial.where else ""


def best_table(question: Question, order: Sequence[tuple[Trial, Reached]], wide: bool) -> Table:
    """Show the best trials; narrow: only what fits on a terminal."""
    names = list(question.space.axes)
    scores = scores_of(question, [reached for _, reached in order])
    headings = {
        "parameters": "parameters>", "epoch": "best epoch>", "loss": "loss>",
        **{score.name: f"{score.heading}>" for score in scores}, "time": "time>",
    }  # fmt: skip
    narrow = ("parameters", question.objective.name, JOBS[question.job].scores[-1].name)
    numbers = [name for name in headings if wide or name in narrow]
    texts = [number_texts(question, reached) for _, reached in order[:MOST_ROWS]]
    if all(text["loss"] == text.get("mse") for text in texts):
        numbers = [name for name in numbers if name != ("loss" if question.objective.name == "mse" else "mse")]
    rows = [
        [
            str(trial.number),
            *(as_words(trial.values[name]) if name in trial.values else NONE for name in names),
            *(text[name] for name in numbers),
        ]
        for (trial, _), text in zip(order, texts, strict=False)
    ]
    columns = ["trial>", *map(label_of, names), *(headings[name] for name in numbers)]
    shown = f"The best {len(rows)} of {len(order)}; all are in {CSV_NAME}. " if len(order) > len(rows) else ""
    note = f"{shown}Scores are those of the validation images at the best epoch. Run directories: {TRIALS_NAME}/"
    note += f"; where others lie stands in {CSV_NAME}." if any(trial.where for trial, _ in order) else "."
    return Table(columns, rows, note, ours=frozenset({0}))


def scores_of(question: Question, trials: Sequence[Reached]) -> list[Score]:
    """Return what all trials were measured by, what comes first where it was measured in front."""
    job = JOBS[question.job]
    every = (*job.binary, *job.scores)
    return [score for score in every if all(getattr(one, f"validation_{score.name}") is not None for one in trials)]


def number_texts(question: Question, reached: Reached) -> dict[str, str]:
    """Write a trial's numbers, the objective with its deviation over repeats."""
    forms = {score.name: loss_text if score.name == "mse" else score.text for score in scores_of(question, [reached])}
    text = {
        "parameters": f"{reached.parameters:,}", "epoch": str(reached.best_epoch),
        "loss": loss_text(reached.validation_loss), "time": duration(reached.seconds),
        **{name: form(getattr(reached, f"validation_{name}")) for name, form in forms.items()},
    }  # fmt: skip
    if reached.deviation is not None:
        form = forms.get(question.objective.name, loss_text)
        text[question.objective.name] = spread_text(Spread(reached.objective, reached.deviation, 2), form)
    return text


def left_out_sections(question: Question, trials: Sequence[Trial]) -> list[Section]:
    """Say what became of the trials that were pruned or failed."""
    pruned, failed = ([trial for trial in trials if trial.state == state] for state in ("pruned", "failed"))
    found = []
    if pruned:
        epochs = sum(trial.reached.epochs for trial in pruned if trial.reached)
        found.append(
            Section(
                "Pruned",
                [f"{len(pruned)} trials were stopped early, after {epochs} epochs in all, each where its "
                 f"{question.objective.words} was worse than the median of the others at that epoch. How far they "
                 "would have got is not known."],
            )
        )  # fmt: skip
    if failed:
        reasons: dict[str, list[Trial]] = {}
        for trial in failed:
            reasons.setdefault(trial.message, []).append(trial)
        said = [f"{numbered(trials)}: {reason}" for reason, trials in list(reasons.items())[:MOST_ROWS]]
        found.append(Section("Failed", said))
    return found


def numbered(trials: Sequence[Trial]) -> str:
    """Name trials that share something: the only one with its values, several by their numbers."""
    if len(trials) == 1:
        return f"Trial {trials[0].number} ({in_words(trials[0])})"
    return f"Trials {', '.join(str(trial.number) for trial in trials)}"


def how_section(folder: Path, question: Question) -> Section:
    if question.sampler == "grid":
        text = ["Grid: every combination was trained."]
    else:
        text = [
            f"Drawn by Optuna's {question.sampler} sampler, seed {question.first.seed}"
            + (f"; pruned by the median, not before epoch {question.warmup}." if question.prune else ".")
        ]
    if question.database:
        text.append(f"Shared by machines as the study {question.study_name} in the database {question.database}.")
    elif question.sampler != "grid":
        text.append(f"Optuna's own tools read the journal: optuna-dashboard {folder / JOURNAL_NAME}")
    first, last, compared = question.seeds[0], question.seeds[-1], f"cuello compare {folder / TRIALS_NAME}"
    if question.repeats > 1:
        text.append(f"A trial is a folder of run directories, trained with the seeds {first} to {last}: {compared}/*")
    else:
        text.append(f"A trial is a run directory, trained with the seed {first}: {compared}")
    fixed = [[label_of(name), as_words(value)] for name, value in question.space.fixed.items()]
    tables = [Table(["searched", "values"], values_in_words(question.space))]
    tables += [Table(["fixed", "value"], fixed)] if fixed else []
    return Section("How it was searched", text, tables, folded=True)


def csv_rows(question: Question, trials: Sequence[Trial]) -> list[list[Any]]:
    """Give one line a trial, every number; None is not known, or does not count for that trial."""
    names = list(question.space.axes)
    known = {name for trial in trials if trial.reached is not None for name in known_values(trial.reached)}
    reached = [field.name for field in fields(Reached) if field.name in known]
    rows: list[list[Any]] = [["number", "state", *names, *reached, "run", "message"]]
    for trial in trials:
        cells = [trial.number, trial.state, *(trial.values.get(name) for name in names)]
        cells += [getattr(trial.reached, name, None) for name in reached]
        where = f"{trial.where}/" if trial.where else ""
        rows.append([*cells, f"{where}{TRIALS_NAME}/{trial.name}", trial.message])
    return rows
