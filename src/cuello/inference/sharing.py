"""How many processes share the files of one call, and whether another process can have the same network."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from cuello.core.errors import CuelloError, worded
from cuello.core.memory import free_memory
from cuello.core.pool import why_alone
from cuello.core.spread import spread_evenly
from cuello.data.picture import opened
from cuello.inference.model import Model, load
from cuello.inference.targets import ARRAY, FileJob
from cuello.runs.directory import available_cores
from cuello.runs.tensors import digest_of

WORTH = 40e6
"""Pixels of all files from which on sharing them saves more time than starting processes takes, some 3 s each."""
IDLE_BYTES, BYTES_A_PIXEL = 400e6, 24
"""What a process takes before its first file, and how much more for each pixel of the largest: twice what was seen."""
LOOKED_AT = 32
"""Files whose size is looked up, at most."""


def worker_count(model: Model, jobs: Sequence[FileJob], asked: int | None) -> tuple[int, list[str]]:
    """Return how many processes restore these files, this one alone being 1, and what is to be said of it.

    asked: how many the user wants, or None for as many as torch may use threads, as far as files and memory allow; a
    few small files are done sooner by this process alone. Raises CuelloError for less than one.
    """
    if asked is not None and asked < 1:
        raise CuelloError(f"--workers: got {asked}, needed 1 or more; leave it out for what fits the machine.")
    most = min(len(jobs), asked or min(torch.get_num_threads(), available_cores()))
    if most < 2:
        return 1, []
    if asked is not None:
        why = only_here(model)
        return (most, []) if why is None else (1, [worded(f"--workers={asked}: one process did all, since {why}")])
    if device_of(model).type != "cpu":
        return 1, []
    sizes = [pixels_of(jobs[place].path) for place in spread_evenly(len(jobs), LOOKED_AT)]
    if sum(sizes) / len(sizes) * len(jobs) < WORTH:
        return 1, []
    needed = IDLE_BYTES + BYTES_A_PIXEL * max(sizes) * (1 + model.scale**2) / 2
    fitting = min(most, int(free_memory() // needed))
    return (fitting if fitting > 1 and only_here(model) is None else 1), []


def only_here(model: Model) -> str | None:
    """Say why another process cannot have this very network; None where it can."""
    if (why := why_alone()) is not None:
        return why
    if model.artefact.architecture.kind == "custom":
        return "the network is somebody's own code"
    if model.path is None or not model.path.exists():
        return "the network is in no file"
    try:
        same = print_of(load(model.path)) == print_of(model)
    except CuelloError:
        return f"{model.path} holds no network any more"
    return None if same else f"the network is not the one in {model.path}: either was changed"


def print_of(model: Model) -> str:
    """Tell a network from every other by what its file says and by the numbers that it works with."""
    return digest_of(model.network.state_dict(), model.artefact.checksum)[:16]


def same_model(path: Path, device: str, fingerprint: str) -> Model:
    """Load a model in another process; CuelloError unless it is the very one."""
    model = load(path, device=device)
    if print_of(model) != fingerprint:
        raise CuelloError(
            f"{path} holds another network than the one that was to be used: it was changed in memory, or the file "
            "meanwhile. Use --workers=1, or start again."
        )
    return model


def device_of(model: Model) -> torch.device:
    """Return where a network runs."""
    return next((one.device for one in model.network.state_dict().values()), torch.device("cpu"))


def pixels_of(path: Path) -> float:
    """Look up, or guess from its bytes, how many pixels a file holds; 0 where it cannot be read."""
    with suppress(Exception):  # reading it will say what is wrong
        stored = path.stat().st_size / 3
        if path.suffix.lower() == ARRAY:
            return stored
        with suppress(Exception), opened(path) as image:
            return max(stored, image.width * image.height)
        return stored
    return 0.0
