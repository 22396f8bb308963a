"""Runs of any kind, read, divided into comparable groups, and put side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuello.comparison.facts import Progress, read_facts, run_values, with_latency
from cuello.comparison.groups import Group, Row, RowDifference, differing_sentence, group_key, make_group
from cuello.core.errors import CuelloError
from cuello.runs.directory import Run


@dataclass(frozen=True)
class Comparison:
    """The result. differing: one sentence on why there are several groups, or "". left_out: paths and reasons."""

    groups: tuple[Group, ...]
    differing: str
    left_out: tuple[tuple[str, str], ...]


def compare(
    paths: Sequence[str | Path],
    *,
    epoch: int | None = None,
    latency: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Put trained runs side by side.

    paths: run directories, or folders of run directories, such as one of repeats. epoch: (from 1) at which losses are
    compared, by default the last that all runs of a group have. latency: measure the time for one image.
    What is no complete run is left out and listed with the reason.
    Raises CuelloError where nothing is left, or no run has that epoch.

    >>> import cuello, tempfile
    >>> run = cuello.train("denoise", "photos", noise="gaussian:25", model="conv-8-16-8", crop=64, samples=16,
    ...                    validation_samples=4, epochs=1, output=tempfile.mkdtemp() + "/run", report=False)
    >>> cuello.compare([run.path], latency=False).groups[0].rows[0].runs[0].parameters
    2793
    """
    if epoch is not None and epoch < 1:
        raise CuelloError(f"epoch: got {epoch}, needed 1 or more.")
    found, left_out = [], []
    for path, label in listed(paths):
        try:
            if any(path.resolve() == other.run.path.resolve() for other in found):
                raise CuelloError("it is named twice")
            found.append(read_facts(Run(path), label))
        except CuelloError as error:
            left_out.append((str(path), str(error)))
    if not found:
        reasons = "".join(f"\n  {path}: {reason}" for path, reason in left_out)
        raise CuelloError(f"there is no complete run to compare; give run directories.{reasons}")
    if epoch is not None and all(run.at(epoch) is None for run in found):
        longest = max(len(run.history) for run in found)
        raise CuelloError(f"epoch: got {epoch}, but the longest run has {longest}. Leave out --epoch or lower it.")
    if latency:
        found = with_latency(found, progress)
    keys = [group_key(run) for run in found]
    groups = [
        make_group([run for run, other in zip(found, keys, strict=True) if other == key], key, keys, epoch)
        for key in dict.fromkeys(keys)
    ]
    return Comparison(tuple(groups), differing_sentence(keys), tuple(left_out))


def listed(paths: Sequence[str | Path]) -> list[tuple[Path, str]]:
    """Return every run directory named, and its label; a folder that holds runs stands for all of them."""
    found = []
    for text in paths:
        path = Path(text).expanduser()
        inside = sorted(inner.parent for inner in path.glob("*/config.toml"))
        if not (path / "config.toml").is_file() and inside:
            found += [(inner, f"{path.resolve().name}/{inner.name}") for inner in inside]
        else:
            found.append((path, path.resolve().name))
    counts = Counter(label for label, _ in {(label, path.resolve()) for path, label in found})
    return [(path, label if counts[label] == 1 else str(path)) for path, label in found]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return everything for --json: groups, rows with spreads, and every run."""
    return {
        "differing": comparison.differing,
        "left_out": [{"path": path, "reason": reason} for path, reason in comparison.left_out],
        "groups": [
            {
                "title": group.title,
                "epoch": group.epoch,
                "notes": list(group.notes),
                "rows": [row_json(row, group.epoch) for row in group.rows],
                "differences": [difference_json(difference) for difference in group.differences],
            }
            for group in comparison.groups
        ],
    }


def row_json(row: Row, epoch: int) -> dict[str, Any]:
    """Return a row: every number's mean, deviation and count, and its runs."""
    runs = [run_values(run, epoch) for run in row.runs]
    numbers = [name for name, value in runs[0].items() if isinstance(value, float)]
    spreads = {name: row.spread(lambda run, name=name: run_values(run, epoch)[name]) for name in numbers}
    found = {
        name: {"mean": value.mean, "deviation": value.deviation if value.count > 1 else None, "count": value.count}
        for name, value in spreads.items()
        if value is not None
    }
    return {"label": row.label, "spreads": found, "runs": runs}


def difference_json(difference: RowDifference) -> dict[str, Any]:
    """Return a difference; its interval is null where there were too few repeats."""
    found = difference.found
    return {
        "first": difference.first,
        "second": difference.second,
        "mean": found.mean if found.count else None,
        "interval": [found.low, found.high] if found.enough else None,
        "pairs": found.count,
        "ratio": found.ratio if found.count else None,
        "told_from_zero": found.told_from_zero,
    }
