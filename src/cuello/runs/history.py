"""What happened, epoch by epoch: history.jsonl, one line an epoch."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from cuello.core.errors import CuelloError
from cuello.core.files import check_no_device, write_text
from cuello.core.schema import Finite, StoredFields, checked, read_json, shortened


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    loss, validation_loss: means over images. validation_mse, validation_psnr: means over the validation images, white
    is 1, dB; PSNR of those that are not perfect (100 where all are); not a number (nan) where classes are learned.
    validation_accuracy: share of them whose class was found, 0 to 1; None where images are learned. validation_wrong:
    mean number of pixels on the wrong side of one half; None where not all images are binary. learning_rate: at the
    epoch's last step. seconds: of the whole epoch; training_seconds: without validation. images: trained on in this
    epoch.
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
    validation_wrong: float | None = None


class Stored(StoredFields):
    """An epoch as it is stored: the fields of EpochRecord, the measures that a job has not left out."""

    model_config = ConfigDict(extra="forbid")

    epoch: int = Field(ge=1)
    loss: Finite
    validation_loss: Finite
    validation_mse: float = math.nan
    validation_psnr: float = math.nan
    learning_rate: Finite
    seconds: Finite
    training_seconds: Finite
    images: int = Field(ge=0)
    validation_accuracy: Finite | None = None
    validation_wrong: Finite | None = None


def as_json(record: EpochRecord) -> dict[str, Any]:
    """Return an epoch for JSON, which knows no nan: without the measures that its job has not."""
    known = {name: value for name, value in asdict(record).items() if value is not None}
    return {name: value for name, value in known.items() if not math.isnan(value)}


def epochs_of(found: Sequence[Any], path: Path) -> tuple[EpochRecord, ...]:
    """Return the epochs that ``as_json`` wrote, 1, 2, …; CuelloError where one is something else, or out of order."""
    records = tuple(EpochRecord(**dict(stored)) for stored in checked(tuple[Stored, ...], tuple(found), path))
    for place, record in enumerate(records, 1):
        if record.epoch != place:
            raise CuelloError(
                f"{path} is damaged: epoch {shortened(record.epoch)} comes where epoch {place} was to come."
            )
    return records


def write_history(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write all epochs, one JSON object a line, whole or not at all."""
    write_text(path, "".join(json.dumps(as_json(record)) + "\n" for record in records))


def read_history(path: Path) -> list[EpochRecord]:
    """Read the epochs back; CuelloError where a line is not one."""
    check_no_device(path)
    try:
        found = read_json(b"[" + b",".join(path.read_bytes().splitlines()) + b"]")
    except FileNotFoundError:
        raise CuelloError(f"there is no {path}: is {path.parent} a run directory?") from None
    except OSError as error:
        raise CuelloError(f"{path} could not be read: {error.strerror}.") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise CuelloError(f"{path} is damaged: {error}. `cuello resume {path.parent}` makes it again.") from None
    return list(epochs_of(found, path))


def best_epoch(records: Sequence[EpochRecord]) -> EpochRecord | None:
    """Return the epoch with the lowest validation loss, the first of several; None before the first."""
    return min(records, key=lambda record: record.validation_loss, default=None)
