"""Maps that an earlier call left in its folder: whose they are, and which of the images they are of."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cuello.core.errors import CuelloError, first_few
from cuello.jobs.explain.classifier import ExplainedClassifier
from cuello.jobs.explain.estimator import MapEstimator
from cuello.jobs.explain.folder import MAPS_FILE
from cuello.jobs.explain.groups import GroupMaps
from cuello.jobs.explain.settings import MapSettings


class KeptImage(NamedTuple):
    """An image's name, its map ``(H, W)``, the class that it explains, its score without a box, and the way to it."""

    name: str
    map: np.ndarray
    number: int
    score: float
    method: str


@dataclass(frozen=True)
class KeptMaps:
    """Maps that are there, by the identity of their image, and what was said of them."""

    images: Mapping[str, KeptImage]
    notes: Sequence[str] = ()

    def of_group(self, identities: Sequence[str]) -> GroupMaps | None:
        """Return the maps of a group of images; None unless all are there, for then all are made, to the same bits."""
        found = [self.images[one] for one in identities if one in self.images]
        if len(found) < len(identities) or len({one.method for one in found}) != 1:
            return None
        return GroupMaps(
            np.stack([one.map for one in found]), np.array([one.number for one in found]),
            np.array([one.score for one in found]), method=found[0].method, notes=list(self.notes),
        )  # fmt: skip


def made_with(
    file: Path,
    classifier: ExplainedClassifier,
    estimator: MapEstimator | None,
    *,
    settings: MapSettings,
    number: str | int,
    range: str | tuple[float, float] | None,
) -> str:
    """Tell maps of a classifier and a choice of settings from all others. file: of a classifier that is not ours."""
    checksum = classifier.checksum if classifier.own else ""
    if not checksum:
        with open(file, "rb") as opened:
            checksum = hashlib.file_digest(opened, hashlib.blake2b).hexdigest()
    estimated = estimator.model.artefact.checksum if estimator else None
    about = [checksum, estimated, asdict(settings) | {"fill": str(settings.shown)}, settings.watched, number]
    about += [classifier.padding, None if range is None else str(range)]
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=12).hexdigest()


def read_kept(folder: Path, made: str) -> KeptMaps:
    """Read the maps in a folder; CuelloError for those made otherwise, or of which it is not known how."""
    path = folder / MAPS_FILE
    if not path.exists():
        return KeptMaps({})
    try:
        with np.load(path, allow_pickle=False) as file:
            found: dict[str, Any] = {name: file[name] for name in file.files}
        if str(found["made"]) != made:
            raise CuelloError(
                f"{path} holds maps of another classifier, or with other settings, and is left as it is: replace it "
                "with --overwrite=True, or choose another place with --output."
            )
        maps = list(found["maps"]) if "maps" in found else [found[f"map_{k}"] for k in range(len(found["names"]))]
        parts = (found["names"], maps, found["classes"], found["scores"], found["methods"])
        images = [
            KeptImage(str(name), np.asarray(one, np.float32), int(number), score=float(score), method=str(method))
            for name, one, number, score, method in zip(*parts, strict=True)
        ]
        identities = [str(one) for one in found["images"]]
        return KeptMaps(dict(zip(identities, images, strict=True)), [str(one) for one in found["notes"]])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CuelloError(
            f"{path} does not say of which images it holds maps, or is damaged, and is left as it is: replace it with "
            "--overwrite=True, or choose another place with --output."
        ) from error


def check_taken_over(kept: KeptMaps, identities: Sequence[str], names: Sequence[str], *, folder: Path) -> str | None:
    """Say how many maps are of images that have changed since; CuelloError where maps would go with no other for them.

    identities, names: of the images that are explained now.
    """
    gone = sorted(kept.images[one].name for one in kept.images.keys() - set(identities))
    if away := [name for name in gone if name not in set(names)]:
        raise CuelloError(
            f"{folder / MAPS_FILE} holds maps of {len(away)} images that are not among these, e.g. {first_few(away)}, "
            "and is left as it is: replace it with --overwrite=True, or choose another place with --output."
        )
    return f"maps of images that have changed since are made again: {first_few(gone)}" if gone else None
