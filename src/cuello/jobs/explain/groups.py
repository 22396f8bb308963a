"""Exact maps of a group of images, here or in processes that share the groups of one call."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
import torch

from cuello.core.errors import CuelloError, worded
from cuello.core.memory import kept_memory
from cuello.core.pool import Pool, TaskDone, why_alone
from cuello.core.progress import OnProgress, silent
from cuello.data.batches import to_tensor
from cuello.data.images import Images
from cuello.jobs.explain.classifier import ExplainedClassifier, open_classifier
from cuello.jobs.explain.settings import MapSettings

Arrays = Sequence[np.ndarray]


class GroupMaps(NamedTuple):
    """Maps ``(N, H, W)`` float32, class numbers and scores ``(N,)`` of images, the way to them, what is to be said."""

    maps: np.ndarray
    numbers: np.ndarray
    scores: np.ndarray
    method: str
    notes: list[str]


def exact_of(
    classifier: ExplainedClassifier,
    pixels: torch.Tensor,
    *,
    settings: MapSettings,
    number: str | int,
    progress: OnProgress = silent,
) -> GroupMaps:
    """Make exact maps of images ``(N, C, H, W)``. number: the class, or "predicted"."""
    exact = settings.maps(
        classifier.network, pixels, padding=classifier.padding,
        classes=number if isinstance(number, str) else [number], progress=progress,
    )  # fmt: skip
    maps, numbers, scores = exact.maps[:, 0].float(), exact.classes[:, 0], exact.scores[:, 0]
    arrays = [part.cpu().numpy() for part in (maps, numbers, scores)]
    return GroupMaps(*arrays, method=exact.method, notes=list(exact.notes))


@dataclass(frozen=True)
class ExactElsewhere:
    """What another process needs to make maps: the classifier's file, its checksum, where it runs, the settings."""

    classifier: str
    checksum: str | None
    device: str
    padding: int | None
    settings: MapSettings
    number: str | int

    def __call__(self) -> Callable[[Arrays], GroupMaps | None]:
        """Open the classifier, and return what makes maps with one thread, or None where they cannot be made."""
        torch.set_num_threads(1)
        opened = open_classifier(self.classifier, self.device, self.padding)
        if opened.own is not None and opened.checksum != self.checksum:
            raise CuelloError(f"{self.classifier} has changed meanwhile. Start again.")

        def make(arrays: Arrays) -> GroupMaps | None:
            try:
                with kept_memory():
                    return exact_of(opened, together(arrays), settings=self.settings, number=self.number)
            except Exception:  # the caller does it again, and says why
                return None

        return make


@dataclass(frozen=True)
class GroupArrays(Sequence[Arrays]):
    """The images of each group, as they were read."""

    images: Images
    groups: Sequence[Sequence[int]]

    @overload
    def __getitem__(self, place: int) -> Arrays: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Arrays]: ...
    def __getitem__(self, place: int | slice) -> Arrays | Sequence[Arrays]:
        if isinstance(place, slice):
            return GroupArrays(self.images, self.groups[place])
        return [self.images.arrays[position] for position in self.groups[place]]

    def __len__(self) -> int:
        return len(self.groups)


def together(arrays: Arrays) -> torch.Tensor:
    """Bring images ``(H, W, C)`` of one size together: ``(N, C, H, W)`` float32, by the same way in every process."""
    return torch.cat([to_tensor(one[None]) for one in arrays])


def only_here(classifier: ExplainedClassifier) -> str | None:
    """Say why no other process can open a classifier; None where it can."""
    if (why := why_alone()) is not None:
        return why
    if classifier.own is not None and classifier.own.artefact.architecture.kind == "custom":
        return "the classifier is somebody's own code"
    return None


def worker_count(classifier: ExplainedClassifier, groups: int, asked: int) -> tuple[int, str | None]:
    """Return how many processes make maps, this one alone being 1, and what is to be said of it, if anything."""
    most = min(asked, groups)
    why = only_here(classifier) if most > 1 else None
    return (most, None) if why is None else (1, worded(f"--workers={asked}: one process made all maps, since {why}"))


def in_order(pool: Pool[Arrays, GroupMaps | None]) -> Iterator[TaskDone[GroupMaps | None]]:
    """Yield what became of each group in the order of the groups, as soon as those before it are known."""
    early: dict[int, TaskDone[GroupMaps | None]] = {}
    place = 0
    for done in pool.results():
        early[done.place] = done
        while place in early:
            yield early.pop(place)
            place += 1
