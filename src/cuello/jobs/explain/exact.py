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
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.files import cache_folder, make_folder, replacing, write_text
from cuello.core.memory import kept_memory
from cuello.data.batches import to_tensor
from cuello.inference.model import Model, load
from cuello.models.classifier import Classifier, without_padding
from cuello.saliency import DEFINITIONS, OcclusionMaps, occlusion_map
from cuello.saliency.fidelity import IMPORTANT

PART = 64
"""Images whose maps are made at once and kept in one file: what a crash loses at most, in each process."""

ALONE = 2 * PART
"""Up to so many images one process is quicker than starting others."""

DEFINITION = "standardised-sum"
"""What is learned: it lies in [0, 1], as a network's output does."""

IMPORTANT_SIDE = IMPORTANT[DEFINITIONS[DEFINITION].score]
"""Whether high or low numbers of these maps are at the pixels that the class needs."""

FLAT = 0.02
"""A map that spreads by no more than this, of its scale from 0 to 1, is flat: the class stays whatever is hidden."""

VERSION = 1
"""To be raised when maps come out otherwise: those that are kept are then made again."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class MapQuestion:
    """How maps are made. box, stride: pixels. fill: what a box shows, a number, "mean" or "blur"."""

    box: int = 3
    stride: int = 1
    fill: str = "0"

    @property
    def filling(self) -> float | str:
        """What a box shows, as ``occlusion_map`` wants it."""
        try:
            return float(self.fill)
        except ValueError:
            return self.fill


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
class Made:
    """One map, its class, and the seconds that it took."""

    map: np.ndarray
    predicted: int
    seconds: float


def exact_maps(
    path: Path,
    classifier: Model,
    arrays: Iterable[np.ndarray],
    question: MapQuestion,
    *,
    workers: int = 1,
    progress: Report | None = None,
) -> ExactMaps:
    """Return exact maps of the class that a classifier predicts: those that are kept, and the others made and kept.

    path: the classifier's file; classifier: what is in it. arrays: images ``(H, W, C)`` as they were read. workers:
    processes, of one thread each; one is this process. progress: called with images done and in all.
    Kept in `cache_folder`, one folder a classifier and question, by the content of each image. Raises CuelloError where
    images do not fit the classifier, or a process fails; what was made stays.
    """
    every = list(arrays)
    names = [identity(array) for array in every]
    folder = folder_of(classifier, question)
    known = read_parts(folder)
    missing = {name: array for name, array in zip(names, every, strict=True) if name not in known}
    done = len(names) - len(missing)

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, len(names))

    tell(0)
    if missing:
        check_sizes(classifier, missing.values())
        make_folder(folder)
        about = {"classifier": classifier.artefact.checksum, **asdict(question), "definition": DEFINITION}
        write_text(folder / "about.json", json.dumps(about, indent=2) + "\n")
        parts = in_parts(missing)
        if workers == 1 or len(missing) <= ALONE:
            for part in parts:
                known |= make_part(classifier, part, question, folder)
                tell(len(part))
        else:
            make_beside(path, classifier, parts, question, folder, workers, tell)
            known = read_parts(folder)
    found = [known[name] for name in names]
    return ExactMaps(
        [one.map for one in found], np.array([one.predicted for one in found], np.int64),
        np.array([one.seconds for one in found]), len(missing),
    )  # fmt: skip


def folder_of(classifier: Model, question: MapQuestion) -> Path:
    """Return where the maps of a classifier and a question are kept."""
    about = [classifier.artefact.checksum, asdict(question), DEFINITION, VERSION]
    return cache_folder() / "maps" / hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def identity(array: np.ndarray) -> str:
    """Return what tells an image from every other: a checksum of its type, shape and pixels."""
    state = hashlib.blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=12)
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def check_sizes(classifier: Model, arrays: Iterable[np.ndarray]) -> None:
    """Raise CuelloError where an image has another size or other channels than the classifier takes."""
    for height, width, channels in {array.shape for array in arrays}:
        if channels != classifier.channels:
            raise CuelloError(
                f"the classifier takes images of {classifier.channels} channels, got {channels}: add --channels "
                f"{classifier.channels}."
            )
        if classifier.size is not None and (height, width) != classifier.size:
            rows, columns = classifier.size
            raise CuelloError(
                f"the classifier takes images of {columns}×{rows} pixels, got {width}×{height}: add --resize "
                f"{columns}x{rows}."
            )


def in_parts(images: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return images in parts of one shape and type, of PART at most."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for name, array in images.items():
        alike.setdefault((array.shape, array.dtype), []).append(name)
    return [
        {name: images[name] for name in names[start : start + PART]}
        for names in alike.values()
        for start in range(0, len(names), PART)
    ]


def explained(classifier: Model, images: torch.Tensor, question: MapQuestion) -> OcclusionMaps:
    """Return exact maps of the predicted class of images ``(N, C, H, W)``; boxes slide over the network's padding too.

    Raises CuelloError where images do not fit.
    """
    network, padding = classifier.network, 0
    if isinstance(network, Classifier):
        network, padding = without_padding(network)
    return occlusion_map(
        network, images, question.box, stride=question.stride, fill=question.filling, padding=padding,
        definition=DEFINITION,
    )  # fmt: skip


def make_part(
    classifier: Model, part: Mapping[str, np.ndarray], question: MapQuestion, folder: Path
) -> dict[str, Made]:
    """Make the maps of a part and keep them."""
    start = time.perf_counter()
    found = explained(classifier, to_tensor(np.stack(list(part.values()))), question)
    seconds = (time.perf_counter() - start) / len(part)
    maps, predicted = found.maps[:, 0].float().cpu().numpy(), found.classes[:, 0].cpu().numpy()
    with replacing(folder / f"part-{next(iter(part))}.npz") as temporary:
        np.savez_compressed(
            temporary, ids=np.array(list(part)), maps=maps, predicted=predicted, seconds=np.full(len(part), seconds)
        )
    return {name: Made(maps[row], int(predicted[row]), seconds) for row, name in enumerate(part)}


def read_parts(folder: Path) -> dict[str, Made]:
    """Return all maps that are kept in a folder; a file that is damaged is made again and so left out."""
    known: dict[str, Made] = {}
    for file in sorted(folder.glob("part-*.npz")):
        try:
            with np.load(file, allow_pickle=False) as part:
                rows = zip(part["ids"], part["maps"], part["predicted"], part["seconds"], strict=True)
                known |= {str(name): Made(one, int(number), float(took)) for name, one, number, took in rows}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return known


def make_beside(
    path: Path,
    classifier: Model,
    parts: Sequence[Mapping[str, np.ndarray]],
    question: MapQuestion,
    folder: Path,
    workers: int,
    tell: Callable[[int], None],
) -> None:
    """Make the maps of all parts in processes of their own, which write them.

    They are programs, no forks: a forked torch can hang, and a spawned one runs the caller's script again.
    Raises CuelloError that holds what a process said where one fails. However this ends, they end too.
    """
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        processes = []
        for number in range(min(workers, len(parts))):
            file = Path(name) / f"{number}.npz"
            own = parts[number::workers]
            stacks = {f"{place}/images": np.stack(list(part.values())) for place, part in enumerate(own)}
            ids = {f"{place}/ids": np.array(list(part)) for place, part in enumerate(own)}
            np.savez(file, **stacks, **ids)  # type: ignore[arg-type]
            request = {
                "model": str(path.resolve()), "checksum": classifier.artefact.checksum, "images": str(file),
                "question": asdict(question), "folder": str(folder.resolve()), "parent": os.getpid(),
            }  # fmt: skip
            processes.append(running.enter_context(started(request)))
        listen(processes, tell)


@contextlib.contextmanager
def started(request: Mapping[str, object]) -> Iterator[subprocess.Popen[str]]:
    """Start a process that makes maps, with one thread; stopped when the block ends. Ctrl-C does not reach it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-m", "cuello.jobs.explain.exact", json.dumps(request)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
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
    """Make the maps of the parts in a file, and print how many after each; end where the parent did."""
    torch.set_num_threads(1)
    classifier = load(request["model"])
    if classifier.artefact.checksum != request["checksum"]:
        raise CuelloError(f"{request['model']} has changed meanwhile. Start again.")
    question, folder = MapQuestion(**request["question"]), Path(request["folder"])
    with np.load(request["images"], allow_pickle=False) as file, kept_memory():
        for place in range(len(file.files) // 2):
            if os.getppid() != request["parent"]:
                return
            ids, images = file[f"{place}/ids"], file[f"{place}/images"]
            make_part(classifier, dict(zip(map(str, ids), images, strict=True)), question, folder)
            print(len(ids), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
