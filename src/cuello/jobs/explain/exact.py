"""Exact occlusion maps of many images, kept: made once, by several processes, and found again by whoever asks next.

`python -m cuello.jobs.explain.exact` is one of those processes.
"""

import contextlib
import hashlib
import json
import os
import selectors
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.files import cache_folder, make_folder, remove_leftovers, replacing, temporary_folder, write_text
from cuello.core.memory import kept_memory
from cuello.core.parent import end_after
from cuello.core.progress import OnProgress, Progress, silent
from cuello.data.batches import to_tensor
from cuello.inference.model import Model, load
from cuello.jobs.explain.settings import MapSettings

PART = 64
"""Images whose maps are made at once and kept in one file: what a crash loses at most, in each process."""

ALONE = 2 * PART
"""Up to so many images one process is quicker than starting others."""

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
    workers: int = 1,
    progress: OnProgress = silent,
) -> ExactMaps:
    """Find exact maps of the class that a classifier predicts among the kept ones; make and keep the others.

    path: the classifier's file; classifier: what is in it. arrays: images ``(H, W, C)`` as they were read. workers:
    processes, of one thread each; one is this process. progress: called with events.
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
        parts = in_parts(missing)
        if workers == 1 or len(missing) <= ALONE:
            for part in parts:
                known |= make_part(classifier, part, settings)
                tell(len(part))
        else:
            make_beside(path, classifier, parts, settings=settings, workers=workers, tell=tell)
            known = read_parts(folder)
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


def make_part(classifier: Model, part: Mapping[str, np.ndarray], settings: MapSettings) -> dict[str, KeptMap]:
    """Make the maps of a part and keep them; boxes slide over the network's own padding too."""
    start = time.perf_counter()
    network, padding = classifier.network.unpadded()
    found = settings.maps(network, to_tensor(np.stack(list(part.values()))), padding=padding)
    seconds = (time.perf_counter() - start) / len(part)
    maps, predicted = found.maps[:, 0].float().cpu().numpy(), found.classes[:, 0].cpu().numpy()
    with replacing(folder_of(classifier, settings) / f"part-{next(iter(part))}.npz") as temporary:
        np.savez_compressed(
            temporary, ids=np.array(list(part)), maps=maps, predicted=predicted, seconds=np.full(len(part), seconds)
        )
    return {name: KeptMap(maps[row], int(predicted[row]), seconds) for row, name in enumerate(part)}


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


def make_beside(
    path: Path,
    classifier: Model,
    parts: Sequence[Mapping[str, np.ndarray]],
    *,
    settings: MapSettings,
    workers: int,
    tell: Callable[[int], None],
) -> None:
    """Make the maps of all parts in processes of their own, which write them.

    They are programs, no forks: a forked torch can hang, and a spawned one runs the caller's script again.
    Raises CuelloError that holds what a process said where one fails. However this ends, they end too.
    """
    place = make_folder(folder_of(classifier, settings))
    with temporary_folder(place, "images") as folder, contextlib.ExitStack() as running:
        files = [str((folder / f"{number}.npz").absolute()) for number in range(len(parts))]
        for file, part in zip(files, parts, strict=True):
            np.savez(file, ids=np.array(list(part)), images=np.stack(list(part.values())))
        processes = []
        for number in range(min(workers, len(parts))):
            request = {
                "model": str(path.resolve()), "checksum": classifier.artefact.checksum, "parts": files[number::workers],
                "settings": asdict(settings),
            }  # fmt: skip
            processes.append(running.enter_context(started(request)))
        listen(processes, tell)


@contextlib.contextmanager
def started(request: Mapping[str, object]) -> Iterator[subprocess.Popen[str]]:
    """Start a process that makes maps, with one thread; stopped when the block ends. Ctrl-C does not reach it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-m", "cuello.jobs.explain.exact", json.dumps(request)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def listen(processes: Sequence[subprocess.Popen[str]], tell: Callable[[int], None]) -> None:
    """Tell how many maps processes have made, until all of them end; CuelloError where one fails."""
    with selectors.DefaultSelector() as waiting:
        for process in processes:
            waiting.register(cast("IO[str]", process.stdout), selectors.EVENT_READ, process)
        while waiting.get_map():
            for key, _ in waiting.select():
                line = cast("IO[str]", key.fileobj).readline()
                if line:
                    tell(int(line))
                    continue
                waiting.unregister(key.fileobj)
                if key.data.wait() != 0:
                    said = (key.data.stderr.read().strip().splitlines() or ["nothing"])[-1]
                    raise CuelloError(f"a process that makes exact maps failed: {said}")


def main(request: Mapping[str, Any]) -> None:
    """Make the maps of parts, a file each, and print how many after each."""
    torch.set_num_threads(1)
    classifier = load(request["model"])
    if classifier.artefact.checksum != request["checksum"]:
        raise CuelloError(f"{request['model']} has changed meanwhile. Start again.")
    settings = MapSettings(**request["settings"])
    with kept_memory():
        for file in request["parts"]:
            with np.load(file, allow_pickle=False) as part:
                make_part(classifier, dict(zip(map(str, part["ids"]), part["images"], strict=True)), settings)
                print(len(part["ids"]), flush=True)


if __name__ == "__main__":
    end_after(sys.stdin.read)  # which ends when the parent does
    main(json.loads(sys.argv[1]))
