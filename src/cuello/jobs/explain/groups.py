"""Exact maps of a group of images, here or in another process."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.memory import kept_memory
from cuello.core.progress import OnProgress, silent
from cuello.data.batches import to_tensor
from cuello.data.images import Images
from cuello.jobs.explain.classifier import ExplainedClassifier, open_classifier
from cuello.jobs.explain.settings import MapSettings

Arrays = Sequence[np.ndarray]


class GroupMaps(NamedTuple):
    """Maps ``(N, H, W)`` float32, class numbers and scores ``(N,)`` of images, the way to them, what is to be said, and
    the seconds that all took.
    """

    maps: np.ndarray
    numbers: np.ndarray
    scores: np.ndarray
    method: str
    notes: list[str]
    seconds: float = 0.0


def exact_of(
    classifier: ExplainedClassifier,
    pixels: torch.Tensor,
    *,
    settings: MapSettings,
    number: str | int,
    progress: OnProgress = silent,
) -> GroupMaps:
    """Make exact maps of images ``(N, C, H, W)``. number: the class, or "predicted"."""
    start = time.perf_counter()
    exact = settings.maps(
        classifier.network, pixels, padding=classifier.padding,
        classes=number if isinstance(number, str) else [number], progress=progress,
    )  # fmt: skip
    maps, numbers, scores = exact.maps[:, 0].float(), exact.classes[:, 0], exact.scores[:, 0]
    arrays = [part.cpu().numpy() for part in (maps, numbers, scores)]
    seconds = time.perf_counter() - start
    return GroupMaps(*arrays, method=exact.method, notes=list(exact.notes), seconds=seconds)


@dataclass(frozen=True)
class ExactElsewhere:
    """What another process needs to make maps: the classifier's file, its checksum, where it runs, the settings."""

    classifier: str
    checksum: str | None
    device: str
    padding: int | None
    settings: MapSettings
    number: str | int

    def __call__(self) -> Callable[..., GroupMaps | None]:
        """Open the classifier, and return what makes maps with one thread, or None where they cannot be made."""
        torch.set_num_threads(1)
        opened = open_classifier(self.classifier, self.device, self.padding)
        if opened.own is not None and opened.checksum != self.checksum:
            raise CuelloError(f"{self.classifier} has changed meanwhile. Start again.")

        def make(arrays: Arrays, progress: OnProgress = silent) -> GroupMaps | None:
            try:
                with kept_memory():
                    pixels = together(arrays)
                    return exact_of(opened, pixels, settings=self.settings, number=self.number, progress=progress)
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
    """Bring images ``(H, W, C)`` of one size together: ``(N, C, H, W)`` float32.

    Its strides are not those of the arrays, which are others in another process: torch chooses by them how it
    convolves, and so how it rounds.
    """
    pixels = torch.cat([to_tensor(one[None]) for one in arrays])
    return torch.empty(pixels.shape).copy_(pixels)
