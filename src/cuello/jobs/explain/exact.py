"""Exact occlusion maps of many images, kept: made once, here or by others, and found again by whoever asks next."""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.files import cache_folder, make_folder, remove_leftovers, replacing, write_text
from cuello.core.progress import OnProgress, Progress, silent
from cuello.inference.model import Model
from cuello.jobs.explain.classifier import ExplainedClassifier, explained_model
from cuello.jobs.explain.groups import ExactElsewhere, GroupMaps, exact_of, together
from cuello.jobs.explain.settings import MapSettings
from cuello.jobs.explain.sharing import Sharing, fitted, pool_for

PART = 64
"""Images whose maps are made at once and kept in one file: what a crash loses at most, in each process."""

FEW = 2 * PART
"""Up to so many images one process is quicker than starting others."""

ALONE = Sharing()
"""Nobody but this process."""

VERSION = 1
"""To be raised when maps come out otherwise: those that are kept are then made again."""


@dataclass(frozen=True)
class ExactMaps:
    """Maps of images, in the order in which they were asked for.

    maps: ``(H, W)`` float32 in [0, 1] each. predicted: ``(N,)`` int64, the class that each explains. seconds: ``(N,)``,
    what each took one process. made: how many were not there yet.
    """

    maps: list[np.ndarray]
    predicted: np.ndarray
    seconds: np.ndarray
    made: int


@dataclass(frozen=True)
class KeptMap:
    """One map, its class, and the seconds that it took."""

    map: np.ndarray
    predicted: int
    seconds: float


def exact_maps(
    path: Path,
    classifier: Model,
    arrays: Iterable[np.ndarray],
    *,
    settings: MapSettings,
    sharing: Sharing = ALONE,
    progress: OnProgress = silent,
) -> ExactMaps:
    """Find exact maps of the class that a classifier predicts among the kept ones; make and keep the others.

    path: the classifier's file; classifier: what is in it. arrays: images ``(H, W, C)`` as they were read. sharing: who
    makes them; a few are made by this process rather than by others of this machine. progress: called with events.
    Kept in `cache_folder`, one folder for a classifier and its settings, by the content of each image. Raises
    CuelloError where images do not fit the classifier, or a process fails; what was made stays.
    """
    every = list(arrays)
    names = [identity(array) for array in every]
    folder = folder_of(classifier, settings)
    remove_leftovers(folder)
    known = read_parts(folder)
    missing = {name: array for name, array in zip(names, every, strict=True) if name not in known}
    done = len(names) - len(missing)

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(Progress("making exact maps", done, len(names)))

    tell(0)
    if missing:
        check_sizes(classifier, missing.values())
        make_folder(folder)
        about = {"classifier": classifier.artefact.checksum, **kept_by(settings), "definition": settings.definition}
        write_text(folder / "about.json", json.dumps(about, indent=2) + "\n")
        explained = explained_model(path, classifier)
        for names_of, maps in made(explained, in_parts(missing), settings=settings, sharing=sharing, tell=progress):
            known |= keep(folder, names_of, maps)
            tell(len(names_of))
    found = [known[name] for name in names]
    return ExactMaps(
        maps=[one.map for one in found],
        predicted=np.array([one.predicted for one in found], np.int64),
        seconds=np.array([one.seconds for one in found]),
        made=len(missing),
    )


def folder_of(classifier: Model, settings: MapSettings) -> Path:
    """Find where the maps of a classifier and these settings are kept."""
    about = [classifier.artefact.checksum, kept_by(settings), settings.definition, VERSION]
    return cache_folder() / "maps" / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def kept_by(settings: MapSettings) -> dict[str, Any]:
    """List what tells maps of one definition apart, as earlier versions wrote it, so that what they kept is found."""
    about: dict[str, Any] = {"box": settings.box, "stride": settings.stride, "fill": settings.fill}
    if settings.fill == "blur" and settings.sigma != MapSettings.sigma:
        about["sigma"] = settings.sigma
    return about


def identity(array: np.ndarray) -> str:
    """Tell an image from every other by a checksum of its type, shape and pixels."""
    state = hashlib.blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=12)
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def check_sizes(classifier: Model, arrays: Iterable[np.ndarray]) -> None:
    for height, width, channels in {array.shape for array in arrays}:
        if channels != classifier.channels:
            raise CuelloError(
                f"the classifier takes images of {classifier.channels} channels, got {channels}: add --channels="
                f"{classifier.channels}."
            )
        if classifier.size is not None and (height, width) != classifier.size:
            rows, columns = classifier.size
            raise CuelloError(
                f"the classifier takes images of {columns}×{rows} pixels, got {width}×{height}: add --resize="
                f"{columns}x{rows}."
            )


def in_parts(images: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Divide images into parts of one shape and type."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for name, array in images.items():
        alike.setdefault((array.shape, array.dtype), []).append(name)
    return [
        {name: images[name] for name in names[start : start + PART]}
        for names in alike.values()
        for start in range(0, len(names), PART)
    ]


def made(
    classifier: ExplainedClassifier,
    parts: Sequence[Mapping[str, np.ndarray]],
    *,
    settings: MapSettings,
    sharing: Sharing,
    tell: OnProgress,
) -> Iterator[tuple[list[str], GroupMaps]]:
    """Make the maps of parts, here or by others, and yield those of each, as they come; boxes slide over the network's
    own padding too. Raises CuelloError where a part cannot be made.
    """
    tasks = [list(part.values()) for part in parts]
    few = sharing.cluster is None and sum(map(len, tasks)) <= FEW
    sharing = ALONE if few else fitted(sharing, classifier, len(tasks))[0]

    def make_here(place: int) -> GroupMaps:
        return exact_of(classifier, together(tasks[place]), settings=settings, number="predicted")

    if sharing == ALONE:
        for place, part in enumerate(parts):
            yield list(part), make_here(place)
        return
    begin = ExactElsewhere(
        str(classifier.path), classifier.checksum, "cpu", padding=None, settings=settings, number="predicted"
    )
    pool = pool_for(sharing, begin, tasks, say=lambda sentence: tell(Progress("making exact maps", note=sentence)))
    try:
        for place, maps, ended in pool.results():
            if ended:
                raise CuelloError(
                    "a process that made exact maps was ended from outside, twice or more, perhaps because memory "
                    "ran out. What is made is kept, and the same command goes on; fewer processes need less memory."
                )
            yield list(parts[place]), maps or make_here(place)
    finally:
        pool.stop()


def keep(folder: Path, names: Sequence[str], maps: GroupMaps) -> dict[str, KeptMap]:
    """Write down the maps of a part."""
    seconds = maps.seconds / len(names)
    with replacing(folder / f"part-{names[0]}.npz") as temporary:
        np.savez_compressed(
            temporary, ids=np.array(names), maps=maps.maps, predicted=maps.numbers, seconds=np.full(len(names), seconds)
        )
    return {name: KeptMap(maps.maps[row], int(maps.numbers[row]), seconds) for row, name in enumerate(names)}


def read_parts(folder: Path) -> dict[str, KeptMap]:
    """Read all maps that are kept in a folder; a file that is damaged is made again and so left out."""
    known: dict[str, KeptMap] = {}
    for file in sorted(folder.glob("part-*.npz")):
        try:
            with np.load(file, allow_pickle=False) as part:
                rows = zip(part["ids"], part["maps"], part["predicted"], part["seconds"], strict=True)
                known |= {str(name): KeptMap(one, int(number), float(took)) for name, one, number, took in rows}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return known
