"""The files beside a checkpoint: whether they say what it says. Where they do not, they are made again from it."""

from collections.abc import Sequence

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.rights import RIGHTS
from cuello.runs.artefact import FORMAT, load_artefact
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, as_json, best_epoch, read_history
from cuello.runs.tensors import read_about


def is_whole(run: Run, records: Sequence[EpochRecord], evaluated: bool) -> bool:
    """Tell whether a run of these epochs has the files beside its checkpoint. evaluated: those of an evaluation too."""
    if not (has_history(run, records) and has_best(run, records) and run.environment is not None):
        return False
    if not evaluated:
        return True
    try:
        return bool(run.metrics) and run.report_path.is_file()
    except (CuelloError, ValueError):
        return False


def has_history(run: Run, records: Sequence[EpochRecord]) -> bool:
    """Tell whether history.jsonl holds these epochs."""
    try:
        found = read_history(run.history_path)
    except (CuelloError, ValueError, OSError):
        return False
    return list(map(as_json, found)) == list(map(as_json, records))


def has_best(run: Run, records: Sequence[EpochRecord]) -> bool:
    """Tell whether model.safetensors is whole and of the best of these epochs."""
    best = best_epoch(records)
    try:
        found = load_artefact(run.path)
    except (CuelloError, OSError):
        return False
    return best is not None and found.metrics.get("epoch", best.epoch) == best.epoch


def has_rights(run: Run, config: TrainConfig) -> bool:
    """Tell whether model.safetensors says of its licence, author and citation what the settings do."""
    training = read_about(run.model_path, "model", FORMAT).get("training", {})
    return all(training.get(name) == getattr(config, name) for name in RIGHTS)
