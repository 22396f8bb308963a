"""How runs stand, told from their folders alone: so every server, whenever it was started, says the same."""

import math
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from cuello.core.config import GIVES, TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.files import printable
from cuello.core.lock import LOCK, at_work
from cuello.core.owner import Owner
from cuello.core.schema import read_json
from cuello.jobs.words import WORDS
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, best_epoch, read_history
from cuello.web.commands import forget, reap, said, started, started_names

Kind = Literal["starting", "training", "judging", "finished", "trained", "stopped", "failed", "damaged"]
SAID: dict[Kind, str] = {
    "starting": "starting", "training": "training", "judging": "being judged", "finished": "finished",
    "trained": "trained, not judged yet", "stopped": "stopped", "failed": "failed", "damaged": "damaged",
}  # fmt: skip


@dataclass(frozen=True)
class RunState:
    """A run as it stands.

    name: its path below the folder of runs. config: None before there is one. problem: what went wrong, or "". owner:
    of the process that is at work, or None. since: the time of the last change, seconds.
    """

    name: str
    path: Path
    kind: Kind
    config: TrainConfig | None = None
    records: Sequence[EpochRecord] = ()
    metrics: dict[str, Any] | None = None
    problem: str = ""
    owner: Owner | None = None
    since: float = 0.0

    @property
    def run(self) -> Run:
        """Its folder's files."""
        return Run(self.path)

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it."""
        return self.owner is not None

    @property
    def best(self) -> EpochRecord | None:
        return best_epoch(self.records)

    @property
    def progress(self) -> float:
        """The share of its epochs that have ended, 0 to 1."""
        return min(1.0, len(self.records) / self.config.epochs) if self.config is not None else 0.0

    @property
    def words(self) -> str:
        """Say how it stands."""
        if self.kind in ("training", "stopped") and self.config is not None:
            return f"{SAID[self.kind]}, epoch {len(self.records)} of {self.config.epochs}"
        return SAID[self.kind]

    @property
    def score(self) -> str:
        """The best epoch's score in a few letters, "" before the first."""
        if self.best is None:
            return ""
        known = asdict(self.best)
        if known["validation_accuracy"] is not None:
            return f"{known['validation_accuracy']:.1%}"
        psnr = known["validation_psnr"]
        return f"{psnr:.2f} dB" if math.isfinite(psnr) else f"loss {known['validation_loss']:.4g}"

    @property
    def verdict(self) -> str:
        return str((self.metrics or {}).get("verdict", ""))

    @property
    def gives(self) -> str:
        """What comes out of its network: images, classes or maps; "" before that is known."""
        return GIVES[self.config.job] if self.config is not None else ""

    @property
    def is_coder(self) -> bool:
        """Whether it learns a code of few numbers."""
        return self.config is not None and "latent" in WORDS[self.config.job].useful

    @property
    def has_model(self) -> bool:
        return self.run.model_path.is_file()

    @property
    def can_go_on(self) -> bool:
        return not self.alive and self.run.checkpoint_path.is_file()


def changed(path: Path) -> float:
    """Return when a file was changed, 0 where it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@dataclass(frozen=True)
class Contents:
    """What a run's files say; problem: why one could not be read, or ""."""

    config: TrainConfig | None = None
    records: Sequence[EpochRecord] = ()
    metrics: dict[str, Any] | None = None
    problem: str = ""


@lru_cache(maxsize=512)
def contents(path: Path, times: tuple[float, float, float]) -> Contents:
    """Read a run's files, again only when one has changed; times: of config, history and metrics, 0: not there."""
    run, config, records, metrics, problem = Run(path), None, [], None, ""
    try:
        config = run.config if times[0] else None
        records = read_history(run.history_path) if times[1] else []
    except CuelloError as error:
        problem = str(error)
    with suppress(OSError, ValueError, TypeError):
        metrics = dict(read_json(run.metrics_path.read_text("utf-8"))) if times[2] else None
    return Contents(config, records, metrics, problem=problem)


def at_work_on(path: Path) -> Owner | None:
    """Tell which process is at work in a run's folder, as its lock says; None where none is."""
    found = at_work(path / LOCK)
    return None if found is None or found.owner.has_ended else found.owner


def read_state(root: Path, name: str) -> RunState:
    """Tell how a run stands."""
    path = root / name
    run = Run(path)
    times = (changed(run.config_path), changed(run.history_path), changed(run.metrics_path))
    found, owner, record = contents(path, times), at_work_on(path), started(root, name)
    if owner is None and record is not None and not record.owner.has_ended and record.owner.is_here:
        owner = record.owner
    words = last_words(said(root, name)) if record is not None else ""
    complete = found.config is not None and len(found.records) >= found.config.epochs
    judged = found.metrics is not None and (complete or times[2] >= times[1])
    kind, problem = kind_of(found, owner, complete=complete, judged=judged, words=words)
    return RunState(
        name, path, kind, config=found.config, records=found.records, metrics=found.metrics, problem=problem,
        owner=owner, since=max(times),
    )  # fmt: skip


def kind_of(found: Contents, owner: Owner | None, *, complete: bool, judged: bool, words: str) -> tuple[Kind, str]:
    """Tell in one word how a run stands, and what went wrong; words: the last that it said, if it failed."""
    if owner is not None:
        if not found.records and found.config is None:
            return "starting", ""
        return ("judging" if complete else "training"), ""
    if found.problem:
        return "damaged", found.problem
    if judged:
        return "finished", ""
    if words:
        return "failed", words
    if complete:
        return "trained", ""
    return ("stopped", "") if found.config is not None else ("failed", "it ended before it began to learn")


def last_words(text: str) -> str:
    """Find what a command said went wrong; "" where nothing did, or it was stopped."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line.removeprefix("cuello: ") for line in lines if line.startswith("cuello: ")]
    if told:
        return "" if told[-1].startswith(("stopped", "the training was interrupted", "interrupted")) else told[-1]
    failed = any(line.startswith("Traceback") for line in lines) and lines[-1] != "KeyboardInterrupt"
    return lines[-1] if failed else ""


def run_names(root: Path) -> list[str]:
    """Name the runs in a folder, and those in folders of it, such as repeats; and those that have just been started."""
    found = set(started_names(root))
    with suppress(OSError):
        for path in sorted(root.iterdir()):
            if is_run(path):
                found.add(path.name)
            elif path.is_dir() and not path.name.startswith("."):
                with suppress(OSError):
                    found |= {f"{path.name}/{inner.name}" for inner in path.iterdir() if is_run(inner)}
    return sorted(found)


def is_run(path: Path) -> bool:
    """Tell whether a training was begun in a folder."""
    if path.name.startswith(".") or printable(path.name) != path.name:  # bytes that are no text have no address
        return False
    return Run(path).is_begun


def list_runs(root: Path) -> list[RunState]:
    """Tell how every run stands: those at work first, then the newest."""
    reap()
    return sorted((read_state(root, name) for name in run_names(root)), key=lambda one: (not one.alive, -one.since))


def run_named(root: Path, name: str) -> RunState:
    """Tell how the run of that name stands; CuelloError for anything else."""
    if name not in run_names(root):
        raise CuelloError(f"there is no run called {name!r} in {root}.")
    reap()
    return read_state(root, name)


def stop(state: RunState) -> None:
    """Stop a run as Ctrl-C does: the epoch under way is lost, all before it is kept."""
    if state.owner is None or state.owner.has_ended:
        return
    if not state.owner.is_here:
        raise CuelloError(f"{state.name} is at work on {state.owner.host}: stop it there.")
    try:
        os.kill(state.owner.pid, signal.SIGINT)
    except ProcessLookupError:
        return
    except PermissionError:
        raise CuelloError(f"{state.name} is at work for another user of this machine, who alone can stop it.") from None


def forget_failed(root: Path, state: RunState) -> None:
    """Take a run that came to nothing off the list; files that it wrote stay."""
    if not state.alive:
        forget(root, state.name)
