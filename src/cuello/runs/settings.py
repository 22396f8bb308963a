"""A run's settings: config.toml says them to people, the checkpoint says what the weights were trained with."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any

from cuello.core.config import CHANGEABLE, TrainConfig, make_config
from cuello.core.errors import CuelloError
from cuello.core.files import check_here
from cuello.core.own import is_reference
from cuello.core.rights import RIGHTS
from cuello.core.text import in_every, native
from cuello.runs.checkpoint import read_reached
from cuello.runs.directory import Run, environment
from cuello.runs.tensors import read_about

PLACES = ("data", "target", "classifier")
"""Settings that say where something lies; whether it is the same is told by the fingerprint of the images."""

Changes = Mapping[str, tuple[Any, Any]]
"""Settings that are not as they were: by name, what they were in training, and what they are now."""


def trained_config(run: Run) -> TrainConfig:
    """Return the settings of a run, which are those it was trained with; without config.toml, as its checkpoint has it.

    What may change when a run goes on is as config.toml says, and so are the places of the images.
    Raises CuelloError that names every other setting which was changed in config.toml after the training began.
    """
    check_here(run.path)
    known = settings_in_training(run)
    if not run.config_path.is_file() and known is not None:
        return known
    config = run.config
    changes = {} if known is None else changed(known, config)
    check_unchanged(run, {name: pair for name, pair in changes.items() if name not in (*CHANGEABLE, *PLACES)})
    return config


def settings_in_training(run: Run) -> TrainConfig | None:
    """Return the settings that a run's weights were trained with; None before the first epoch, or where no file says.

    Those in last.safetensors; in one of an earlier version there are none, but beside the best weights.
    """
    if not run.checkpoint_path.is_file():
        return None
    found = read_reached(run.checkpoint_path).settings
    if not found and run.model_path.is_file():
        try:
            found = dict(read_about(run.model_path, "model", 1)["training"])
        except (CuelloError, KeyError, TypeError, ValueError):
            return None
    found = {name: in_every(value, native) for name, value in found.items() if name in TrainConfig.model_fields}
    return make_config(found) if found else None


def environment_of(run: Run) -> dict[str, Any]:
    """Return where a run was trained: as its file says, or its checkpoint; or here, where neither does."""
    if (known := run.environment) is not None:
        return known
    stored = read_reached(run.checkpoint_path).environment if run.checkpoint_path.is_file() else {}
    return dict(stored) or environment()


def changed(was: TrainConfig, now: TrainConfig) -> Changes:
    """Return the settings that differ; somebody's own network is the same wherever its file lies."""
    pairs = {name: (getattr(was, name), getattr(now, name)) for name in TrainConfig.model_fields}
    if all(map(is_reference, pairs["model"])) and len({model.rpartition(".py:")[2] for model in pairs["model"]}) == 1:
        del pairs["model"]
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def say_changes(run: Run, config: TrainConfig, fingerprint: str, asked: Collection[str] = ()) -> None:
    """Warn of what is not as it was in training, and may be so; ``asked`` is known to who asked for it, but not
    what another number of threads does.

    config: with which a run goes on. fingerprint: of the images that it names now; CuelloError where they are at
    another place and not the same.
    """
    known = settings_in_training(run)
    if known is None:
        return
    changes = {name: pair for name, pair in changed(known, config).items() if name not in asked or name == "threads"}
    changes = {name: pair for name, pair in changes.items() if name not in RIGHTS}  # they change nothing of the weights
    moved = {name: pair for name, pair in changes.items() if name in PLACES}
    if moved and read_reached(run.checkpoint_path).fingerprint != fingerprint:
        check_unchanged(run, moved)
    if changes:
        told = ", ".join(f"{name} = {now!r} (so far {was!r})" for name, (was, now) in changes.items())
        rounding = (
            " Another number of threads rounds differently: to the bit, the weights will not be those of a run that "
            "was never interrupted."
        )
        warnings.warn(f"{run.path} goes on with {told}.{rounding if 'threads' in changes else ''}", stacklevel=2)


def check_unchanged(run: Run, changes: Changes) -> None:
    """Raise CuelloError that names all changes, where there are any."""
    if changes:
        told = ", ".join(f"{name} = {now!r} (trained with {was!r})" for name, (was, now) in changes.items())
        raise CuelloError(
            f"{run.config_path} was changed after its training began: {told}. Put back what it was trained with, or "
            f"remove the file and call `cuello resume {run.path}`, which makes it again; or train anew with what it "
            f"says now: cuello train --config {run.config_path} -o ANOTHER."
        )
