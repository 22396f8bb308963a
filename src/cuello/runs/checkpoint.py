"""Everything a training needs to go on, in one file: last.safetensors.

One file, so that its parts can never disagree: the weights, their average, the best weights, the optimiser's state
and the history are renamed into place together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.files import write_bytes
from cuello.core.schema import Name, StoredFields, checked, shortened
from cuello.runs.history import EpochRecord, as_json, epochs_of
from cuello.runs.origin import Origin, StoredOrigin, origins_of
from cuello.runs.tensors import check_finite, load_tensors, packed, read_about

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state at the end of an epoch.

    weights, average, best: tensors by name; average is empty without an exponential moving average, best before the
    first epoch. optimizer: tensors by parameter position and name. records: the epochs so far. fingerprint: of the
    training images, to notice when they changed. settings, environment: what it was trained with and where, empty in
    files of earlier versions. started_from: see Artefact.
    """

    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimizer: Mapping[int, Mapping[str, Tensor]]
    records: tuple[EpochRecord, ...]
    fingerprint: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    started_from: Sequence[Origin] = ()


@dataclass(frozen=True)
class EpochsReached:
    """How far a training is: the epochs so far, the fingerprint of its images, its settings, its environment, and the
    networks that it started from (see Artefact).
    """

    records: tuple[EpochRecord, ...]
    fingerprint: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    started_from: Sequence[Origin] = ()


class StoredCheckpoint(StoredFields):
    """What a checkpoint's file says beside its tensors."""

    records: list[Any]
    fingerprint: Name
    settings: dict[str, Any] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    started_from: list[StoredOrigin] = Field(default_factory=list)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, whole or not at all."""
    write_bytes(path, packed_checkpoint(checkpoint))


def packed_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as its file's content."""
    groups = {"weights": checkpoint.weights, "average": checkpoint.average, "best": checkpoint.best}
    tensors = {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
    for position, named in checkpoint.optimizer.items():
        tensors |= {f"optimizer/{position}/{name}": tensor for name, tensor in named.items()}
    about = {
        "records": [as_json(record) for record in checkpoint.records], "fingerprint": checkpoint.fingerprint,
        "settings": checkpoint.settings, "environment": checkpoint.environment,
    }  # fmt: skip
    if checkpoint.started_from:
        about["started_from"] = [asdict(origin) for origin in checkpoint.started_from]
    return packed(tensors, about, kind="checkpoint", format=FORMAT)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint back; CuelloError where it is missing, damaged or of another version."""
    tensors, about = load_tensors(path, "checkpoint", FORMAT)
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "best": {}}
    optimizer: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        position, _, key = rest.partition("/")
        if group == "optimizer" and re.fullmatch(r"[0-9]{1,9}", position):
            optimizer.setdefault(int(position), {})[key] = tensor
        elif group in groups:
            groups[group][rest] = tensor
        else:
            raise CuelloError(f"{path} holds the tensor {shortened(name)}, which is not part of a checkpoint.")
    for named in groups.values():
        check_finite(named, path)
    reached = reached_of(path, about)
    if reached.records and not groups["best"]:
        raise CuelloError(f"{path} lacks the best weights of its {len(reached.records)} epochs: it is damaged.")
    return Checkpoint(**groups, optimizer=optimizer, **vars(reached))


def read_reached(path: Path) -> EpochsReached:
    """Read from a checkpoint how far the training is, without its tensors; CuelloError as ``load_checkpoint``."""
    return reached_of(path, read_about(path, "checkpoint", FORMAT))


def reached_of(path: Path, about: Mapping[str, Any]) -> EpochsReached:
    """Return what a checkpoint's description says; CuelloError where a part of it is missing."""
    found = checked(StoredCheckpoint, about, path)
    return EpochsReached(
        epochs_of(found.records, path), found.fingerprint, settings=found.settings, environment=found.environment,
        started_from=origins_of(found.started_from),
    )  # fmt: skip
