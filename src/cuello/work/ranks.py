"""One training in several processes: what they have to agree on, and what cannot be divided among them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import is_known_here
from cuello.core.version import VERSION
from cuello.data.catalog import CATALOG
from cuello.data.handed import is_handed
from cuello.models.base import ImageNetwork
from cuello.runs.directory import Run
from cuello.runs.settings import PLACES
from cuello.training.ranks.group import RankGroup, RankLost
from cuello.training.ranks.place import place_of

MAY_DIFFER = ("device", "threads", "storage", *PLACES)
"""Settings in which ranks may differ: where and how each works, and where the same images lie on its machine."""


def check_versions(group: RankGroup | None) -> None:
    """Raise CuelloError that names the first rank with another version of Cuello or torch than rank 0."""
    if group is not None:
        own = {"Cuello": VERSION, "torch": torch.__version__}
        for rank, name, its, firsts in differences(group, own):
            raise CuelloError(
                f"{group.called(rank)} has {name} {its}, {group.called(0)} has {firsts}: they need the same. Install "
                "it on all machines."
            )


def check_same_settings(group: RankGroup | None, config: TrainConfig) -> None:
    """Raise CuelloError that names the first rank with another setting than rank 0."""
    if group is not None:
        for rank, name, its, firsts in differences(group, config.model_dump(mode="json", exclude=set(MAY_DIFFER))):
            raise CuelloError(
                f"{group.called(rank)} was started with {name} = {its!r}, {group.called(0)} with {firsts!r}: give all "
                "ranks the same command."
            )


def check_same_images(group: RankGroup | None, config: TrainConfig, fingerprint: str) -> None:
    """Raise CuelloError that names the first rank whose images are not those of rank 0."""
    if group is None:
        return
    first, *others = group.told([fingerprint, config.data])
    for rank, other in enumerate(others, 1):
        if other[0] != first[0]:
            raise CuelloError(
                f"the images of {group.called(rank)} in {other[1]} are not those of {group.called(0)} in {first[1]}: "
                "give all ranks the same, as in a shared folder."
            )


def differences(group: RankGroup, own: Mapping[str, Any]) -> Iterator[tuple[int, str, Any, Any]]:
    """Yield in what ranks differ from rank 0: which one, in what, what it has, and what rank 0 has."""
    first, *others = group.told(own)
    for rank, other in enumerate(others, 1):
        for name in {**first, **other}:
            if first.get(name) != other.get(name):
                yield rank, name, other.get(name), first.get(name)


def check_divisible(group: RankGroup | None, config: TrainConfig, network: ImageNetwork, *, count: int) -> None:
    """Raise CuelloError where a training cannot be divided among its ranks. count: images or crops an epoch."""
    if group is None:
        return
    if network.compares:
        raise CuelloError(
            f"{config.model} compares the codes of a whole batch with one another, and a rank has only some of them: "
            "it trains in one process."
        )
    if config.compile:
        raise CuelloError("a compiled network trains in one process: leave out --compile=True.")
    check_enough(group.ranks, count, "images or crops an epoch")
    check_enough(group.ranks, config.batch_size, "images a step")


def check_enough(ranks: int, count: int, what: str) -> None:
    """Raise CuelloError where there are fewer images than ranks. what: the images that are counted."""
    if count < ranks:
        raise CuelloError(
            f"{count} {what} are fewer than {ranks} ranks: some would have nothing to do. Start fewer ranks, or take "
            "more --samples and a larger --batch-size."
        )


@contextmanager
def one_first(group: RankGroup | None, config: TrainConfig) -> Iterator[None]:
    """Where images are downloaded or maps are made, let one rank of each machine do it, and the others find them."""
    if group is None or not (config.data in CATALOG or config.classifier is not None):
        yield
        return
    with group.first_here():
        yield


def how_to_go_on(run: Run) -> str:
    """Say what of a run is saved, and how to go on with it."""
    epochs = len(run.history) if run.history_path.is_file() else 0
    return f"{epochs} epochs are saved in {run.path}. Go on with: cuello resume {run.path}"


@contextmanager
def told_how_to_go_on(run: Run) -> Iterator[None]:
    """Say, where a rank is lost, what is saved and how to go on."""
    try:
        yield
    except RankLost as lost:
        raise RankLost(f"{lost.args[0]}; {how_to_go_on(run)}") from lost


def check_alone(what: str) -> None:
    """Raise CuelloError where several ranks were started for what is not one training."""
    if (place := place_of()) is not None:
        raise CuelloError(
            f"{what} makes several trainings, and {place.started_by} started {place.ranks} ranks, which make one "
            "together. Start it as one process."
        )


def check_from_files(config: TrainConfig) -> None:
    """Raise CuelloError for images and parts of one's own that only this process knows, and other ranks do not."""
    if is_known_here(config.model_dump()):
        raise CuelloError(
            "the training takes a part that was registered in this process, and other ranks do not know it. Name it as "
            "FILE.py:NAME, or leave out --ranks."
        )
    for images in (config.data, config.target):
        if is_handed(images or ""):
            raise CuelloError(
                f"the images {images} are in the memory of this process, and other ranks do not see them. Save them in "
                "a folder and give its path, or leave out --ranks."
            )
