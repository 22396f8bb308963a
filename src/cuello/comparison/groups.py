"""Which runs may be compared, which are repeats of each other, and what the repeats say."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from os.path import commonprefix
from pathlib import Path
from typing import Any

from cuello.comparison.facts import RunFacts
from cuello.core.rights import RIGHTS
from cuello.jobs.base import Job
from cuello.jobs.catalog import JOBS
from cuello.scoring.repeats import PairedDifference, Spread, paired_difference, spread

MOST_PAIRED_ROWS = 5
"""With more rows than this, differences are only from the best row: ten comparisons are enough to read."""
VALIDATION_SETTINGS = (
    "crop", "crops", "resize", "scale", "range", "validation", "validation_samples", "test", "fold",
    "split_seed",
)  # fmt: skip
"""Settings that decide on which crops the validation loss is measured."""
UNREPEATED = ("seed", "device", "threads", "compile", "storage", "on_error", *RIGHTS)
"""Settings in which repeats may differ: the seed, what changes nothing but rounding, and which images may be left out
(that the same were read, their checksum says), and whose the network is.
"""

Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """One run, or the runs that are the same but for the seed."""

    label: str
    runs: tuple[RunFacts, ...]

    def spread(self, value: Callable[[RunFacts], float | None]) -> Spread | None:
        """Compute mean and deviation of a value over the runs; None where a run lacks it, or it is not a number."""
        values = [value(run) for run in self.runs]
        known = [number for number in values if number is not None and not math.isnan(number)]
        return spread(known) if len(known) == len(values) else None

    @property
    def loss_by_seed(self) -> dict[int, float]:
        return {run.config.seed: run.best.validation_loss for run in self.runs}

    @property
    def best_loss(self) -> float:
        """Mean of the runs' best validation losses."""
        return spread([run.best.validation_loss for run in self.runs]).mean


@dataclass(frozen=True)
class RowDifference:
    """The best validation loss of one row minus that of another, paired by seed."""

    first: str
    second: str
    found: PairedDifference


@dataclass(frozen=True)
class Group:
    """Runs that may be compared: same job, images, noise, crops, channels and loss; the best row first.

    title: what they share. epoch: at which losses and gaps are compared. notes: what else a reader should know.
    """

    title: str
    epoch: int
    rows: tuple[Row, ...]
    differences: tuple[RowDifference, ...]
    notes: tuple[str, ...]

    @property
    def job(self) -> Job:
        return self.rows[0].runs[0].job


def group_key(run: RunFacts) -> Key:
    """List what two runs must share for their validation losses to be comparable."""
    config = run.config
    same = {"job": config.job, "noise": config.noise, "images": run.images, "channels": run.channels}
    return tuple((same | {name: getattr(config, name) for name in ("loss", "method", *VALIDATION_SETTINGS)}).items())


def differing(keys: Sequence[Key]) -> list[str]:
    """Name what is not the same in all keys."""
    return [name for position, (name, _) in enumerate(keys[0]) if len({key[position] for key in keys}) > 1]


def differing_sentence(keys: Sequence[Key]) -> str:
    """Say why runs stand in several tables, or "" where one is enough."""
    parts = []
    for name in differing(keys):
        values = dict.fromkeys(str(dict(key)[name]) for key in keys)
        parts.append(name if name == "images" else f"{name} ({', '.join(values)})")
    tables = len(set(keys))
    return f"These runs differ in {'; '.join(parts)}: they stand in {tables} tables, not in one." if parts else ""


def beside_the_loss(job: Job, keys: Sequence[Key]) -> str:
    """Say how runs that differ in what their loss is alone can be put side by side after all, or ""."""
    different = differing(keys)
    if different == ["method"]:
        return (
            " Each method counts its loss in its own way; what they reach on the same noisy images, as estimated, "
            "can be compared: cuello evaluate RUN IMAGES, of each."
        )
    if different != ["loss"]:
        return ""
    typed = "cuello benchmark IMAGES RUN RUN" if "noise" in job.options else "cuello evaluate RUN RUN"
    return f" Their losses cannot be compared; what they reach on the same images can: {typed}"


def make_group(runs: list[RunFacts], key: Key, keys: Sequence[Key], *, epoch: int | None) -> Group:
    """Put comparable runs into rows, the best first, and compare repeats."""
    runs, notes = with_like_evaluations(runs)
    for run in runs:
        config, done = run.config, len(run.history)
        if done < config.epochs and config.patience is None and config.max_minutes is None:
            notes.append(f"{run.label} has {done} of {config.epochs} epochs: it was interrupted, or is still training.")
    rows = sorted(make_rows(runs), key=lambda row: row.best_loss)
    shared = min(len(run.history) for run in runs)
    repeated = [row for row in rows if len(row.runs) > 1]
    many = len(repeated) > MOST_PAIRED_ROWS
    pairs = [(repeated[0], row) for row in repeated[1:]] if many else list(combinations(repeated, 2))
    differences = tuple(
        RowDifference(first.label, second.label, paired_difference(first.loss_by_seed, second.loss_by_seed))
        for first, second in pairs
    )
    title = title_of(runs[0], key, keys)
    return Group(title, epoch or shared, tuple(rows), differences=differences, notes=tuple(notes))


def make_rows(runs: Sequence[RunFacts]) -> list[Row]:
    """Put runs that are the same but for the seed into one row; the same seed twice makes two rows.

    Where several rows fit, a run joins that of its own folder.
    """
    found: list[tuple[dict[str, Any], list[RunFacts]]] = []
    for run in runs:
        settings = {name: value for name, value in run.config.model_dump().items() if name not in UNREPEATED}
        fitting = [
            members
            for known, members in found
            if known == settings and run.config.seed not in {other.config.seed for other in members}
        ]
        beside = [members for members in fitting if members[0].run.path.parent == run.run.path.parent]
        if fitting:
            (beside or fitting)[0].append(run)
        else:
            found.append((settings, [run]))
    labels = [row_label(members) for _, members in found]
    return [
        Row(label if labels.count(label) == 1 else members[0].label, tuple(members))
        for label, (_, members) in zip(labels, found, strict=True)
    ]


def row_label(runs: Sequence[RunFacts]) -> str:
    """Name a row by the run's label, or by what the labels of repeats begin with."""
    if len(runs) == 1:
        return runs[0].label
    first = commonprefix([run.label for run in runs])  # noqa: RUF071 (letters, not folders)
    return re.sub(r"/?seed-\d*$", "", first).rstrip("-_/. ") or runs[0].network


def with_like_evaluations(runs: Sequence[RunFacts]) -> tuple[list[RunFacts], list[str]]:
    """Leave out evaluations of other images or another noise than most of the group's, and say so."""

    def protocol(run: RunFacts) -> tuple[Any, ...]:
        about = run.metrics or {}
        parts = about.get("protocol", {})
        return about.get("noise"), *(parts.get(name) for name in ("images", "photographs", "crops", "noise_seed"))

    evaluated = [run for run in runs if run.metrics is not None]
    kinds = Counter(protocol(run) for run in evaluated)
    if len(kinds) < 2:
        return list(runs), []
    usual = kinds.most_common(1)[0][0]
    odd = [run.label for run in evaluated if protocol(run) != usual]
    kept = [replace(run, metrics=None) if run.label in odd else run for run in runs]
    return kept, [f"not shown: the evaluation of {', '.join(odd)}, which is of other images or another noise."]


def title_of(run: RunFacts, key: Key, keys: Sequence[Key]) -> str:
    """Say what the runs of a group share: the usual, and whatever else tells it from the other groups."""
    config = run.config
    usual = {"job", "noise", "crop", "channels", "loss"}
    parts = [
        JOBS[config.job].title(config),
        Path(config.data).name,
        f"crops of {config.crop} pixels" if config.crop else "whole images",
        {1: "grey", 3: "colour"}.get(run.channels, f"{run.channels} channels"),
        f"loss {config.loss}",
    ]
    others = {name: value for name, value in key if name in differing(keys) and name not in usual}
    parts += [f"{name} {str(value)[:8]}" for name, value in others.items()]
    return ", ".join(parts)
