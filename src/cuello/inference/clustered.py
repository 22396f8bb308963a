"""Files restored on other machines: groups of them are tasks of a cluster; what goes to and fro is plain data."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from cuello.cluster.base import Cluster, TaskContext
from cuello.cluster.catalog import find_for_parts
from cuello.cluster.pool import ClusterPool, do_group
from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, Progress
from cuello.data.levels import Levels, RangeChoice
from cuello.data.remote.address import address_of, is_url
from cuello.inference.files import AppliedFile, FilesToDo, RestoreElsewhere, restore_file, restored_file
from cuello.inference.model import Model
from cuello.inference.record import FileMark, Recorder, as_made
from cuello.inference.sharing import only_here, same_model
from cuello.inference.targets import FileJob, Place

FEWEST, MOST, GROUP_BYTES = 8, 64, 32 * 2**20
"""Files of a group: at most so many of a few hundred files, and of many; and so many bytes, or one file."""


def cluster_for_files(
    text: str, model: Model, *, workers: int | None, places: Sequence[Place | None]
) -> Cluster | None:
    """Return the cluster of a word, None for processes of this machine.

    places: what is read, and where results go. Raises CuelloError where files cannot be restored there.
    """
    cluster = find_for_parts(text, workers, "files")
    if not cluster.remote:
        return None
    if remote := [one for one in places if one is not None and is_url(one)]:
        raise CuelloError(
            f"--cluster={text}: got {address_of(remote[0])}, needed files and a folder that all machines see, as on a "
            "shared disk. Leave out --cluster."
        )
    if (why := only_here(model)) is not None:
        raise CuelloError(
            f"--cluster={text}: other machines cannot have the network, since {why}. Leave out --cluster."
        )
    return cluster


def pool_on(
    cluster: Cluster, about: RestoreElsewhere, work: FilesToDo, *, destination: Place | None, tell: OnProgress
) -> ClusterPool[AppliedFile]:
    """Share out the files among machines; CuelloError for work that they cannot share."""
    if destination is None or work.keep_originals is not None:
        raise CuelloError(
            "--cluster with --in-place=True: an image whose machine is lost might be restored twice. Name a folder for "
            "the results, or leave out --cluster."
        )
    if work.found.single:
        raise CuelloError("--cluster is for several files, and got one: leave it out.")
    jobs, maker = work.jobs, work.maker
    marks: Mapping[Path, FileMark] = {} if maker is None else maker.replaces
    listed = [listing.folder for listing in work.found.listings]
    inside = {path for listing in work.found.listings for path in listing.images}
    return ClusterPool(
        cluster, restore_group, as_plain(about),
        tasks=[[str(job.path), str(job.target), marks.get(job.target)] for job in jobs], groups=groups_of(jobs),
        read=lambda place, found: from_plain(jobs[place], found), folder=Path(destination).expanduser(),
        reads=[about.path, *listed, *(job.path for job in jobs if job.path not in inside)],
        gpus=float(about.device.startswith("cuda")),
        say=lambda sentence: tell(Progress("restoring", 0, len(jobs), note=sentence)),
    )  # fmt: skip


def groups_of(jobs: Sequence[FileJob]) -> list[list[int]]:
    """Divide the places of files, in their order, into groups: by number, and by bytes."""
    most = min(MOST, max(FEWEST, len(jobs) // MOST))
    groups: list[list[int]] = []
    size = 0
    for place, job in enumerate(jobs):
        try:
            own = job.path.stat().st_size
        except OSError:  # reading it will say what is wrong
            own = 0
        if not groups or len(groups[-1]) == most or size + own > GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(place)
        size += own
    return groups


# Plain data


def as_plain(about: RestoreElsewhere) -> dict[str, Any]:
    """Write what another machine needs to restore files."""
    choice, maker = about.choice, about.maker
    return {
        "model": str(about.path), "device": about.device.partition(":")[0], "fingerprint": about.fingerprint,
        "level": about.level, "choice": [choice.name, levels_as_plain(choice.levels)],
        "maker": None if maker is None else [str(maker.folder), maker.model, maker.settings],
        "overwrite": about.overwrite,
    }  # fmt: skip


def levels_as_plain(levels: Levels | None) -> dict[str, Any] | None:
    return None if levels is None else asdict(levels)


def levels_of(found: dict[str, Any] | None) -> Levels | None:
    return None if found is None else Levels(**found)


def file_as_plain(one: AppliedFile) -> dict[str, Any]:
    """Write what became of a file, its names aside."""
    return {
        "reason": one.reason, "range": levels_as_plain(one.range), "level": one.level, "notes": list(one.notes),
        "made": one.made,
    }  # fmt: skip


def from_plain(job: FileJob, found: Mapping[str, Any]) -> AppliedFile:
    """Read what became of a file."""
    made = None if found["made"] is None else as_made(json.dumps(found["made"]))
    return AppliedFile(
        job.path, job.target if found["reason"] is None else None, found["reason"], range=levels_of(found["range"]),
        level=found["level"], notes=found["notes"], made=made,
    )  # fmt: skip


# On the machine


def restore_group(argument: Mapping[str, Any], context: TaskContext) -> Any:
    """Restore a group of files; see ``cluster.pool.do_group``."""
    return do_group(argument, context, begin)


def begin(about: Mapping[str, Any]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Load the model, and return what restores a file, given as path, target, and the mark of what it replaces."""
    torch.set_num_threads(1)
    model = loaded(about["model"], about["device"], about["fingerprint"])
    name, levels = about["choice"]
    choice = RangeChoice(name, levels_of(levels))

    def restore(task: Sequence[Any]) -> dict[str, Any]:
        path, target, mark = task
        job, maker = FileJob(Path(path), Path(target)), about["maker"]
        replaces = {} if mark is None else {job.target: FileMark(*mark)}
        recorder = None if maker is None else Recorder(Path(maker[0]), maker[1], maker[2], replaces=replaces)
        one = restored_file(
            job, partial(restore_file, model, level=about["level"], choice=choice), keep_originals=None, single=False,
            maker=recorder, overwrite=about["overwrite"],
        )  # fmt: skip
        return file_as_plain(one)

    return restore


@lru_cache(maxsize=1)
def loaded(path: str, device: str, fingerprint: str) -> Model:
    """Load a model once for all groups that come to this process."""
    return same_model(Path(path), device, fingerprint)
