"""Runs of any kind, read, divided into comparable groups, and put side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from cuello.comparison.facts import RunFacts, read_facts, with_latency
from cuello.comparison.groups import Group, beside_the_loss, differing_sentence, group_key, make_group
from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, listener
from cuello.runs.directory import Run
from cuello.training.watched import watched


@dataclass(frozen=True)
class Comparison:
    """The result. differing: one sentence on why there are several groups, or "". left_out: paths and reasons."""

    groups: tuple[Group, ...]
    differing: str
    left_out: tuple[tuple[str, str], ...]


@watched()
def compare(
    paths: Sequence[str | Path],
    *,
    epoch: int | None = None,
    latency: bool = True,
    progress: OnProgress | bool | None = None,
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
    check_epoch(found, epoch)
    return side_by_side(with_latency(found, listener(progress)) if latency else found, epoch, left_out)


def check_epoch(runs: Sequence[RunFacts], epoch: int | None) -> None:
    if epoch is not None and all(run.at(epoch) is None for run in runs):
        longest = max(len(run.history) for run in runs)
        raise CuelloError(f"epoch: got {epoch}, but the longest run has {longest}. Leave out --epoch or lower it.")


def side_by_side(
    runs: Sequence[RunFacts], epoch: int | None = None, left_out: Sequence[tuple[str, str]] = ()
) -> Comparison:
    """Divide runs into groups of which each can be compared."""
    keys = [group_key(run) for run in runs]
    groups = [
        make_group([run for run, other in zip(runs, keys, strict=True) if other == key], key, keys, epoch=epoch)
        for key in dict.fromkeys(keys)
    ]
    differing = differing_sentence(keys) + beside_the_loss(runs[0].job, keys)
    return Comparison(tuple(groups), differing, tuple(left_out))


def listed(paths: Sequence[str | PathLike[str]]) -> list[tuple[Path, str]]:
    """List every run directory named, and its label; a folder that holds runs stands for all of them."""
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
