"""What happened, epoch by epoch: history.jsonl, one line an epoch."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.files import write_text


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    loss, validation_loss: means over images. validation_mse, validation_psnr: means over the validation images,
    white is 1, dB; not a number (nan) where classes are learned. validation_accuracy: share of them whose class was
    found, 0 to 1; None where images are learned. learning_rate: at the epoch's last step. seconds: of the whole epoch;
    training_seconds: without validation. images: trained on in this epoch.
    """

    epoch: int
    loss: float
    validation_loss: float
    validation_mse: float
    validation_psnr: float
    learning_rate: float
    seconds: float
    training_seconds: float
    images: int
    validation_accuracy: float | None = None


def as_json(record: EpochRecord) -> dict[str, Any]:
    """Return an epoch for JSON, which knows no nan: without the measures that its job has not."""
    known = {name: value for name, value in asdict(record).items() if value is not None}
    return {name: value for name, value in known.items() if not math.isnan(value)}


def from_json(found: Mapping[str, Any]) -> EpochRecord:
    """Return the epoch that ``as_json`` wrote; TypeError where it is something else."""
    return EpochRecord(**{"validation_mse": math.nan, "validation_psnr": math.nan, **found})


def write_history(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write all epochs, one JSON object a line, whole or not at all."""
    write_text(path, "".join(json.dumps(as_json(record)) + "\n" for record in records))


def read_history(path: Path) -> list[EpochRecord]:
    """Read the epochs back; CuelloError where a line is not one."""
    try:
        return [from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except FileNotFoundError:
        raise CuelloError(f"there is no {path}: is {path.parent} a run directory?") from None
    except (json.JSONDecodeError, TypeError) as error:
        raise CuelloError(f"{path} is damaged: {error}.") from None


def best_epoch(records: Sequence[EpochRecord]) -> EpochRecord | None:
    """Return the epoch with the lowest validation loss, the first of several; None before the first."""
    return min(records, key=lambda record: record.validation_loss, default=None)
