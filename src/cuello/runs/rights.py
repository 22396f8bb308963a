"""What an artefact says of whose it is, and of the images that it was trained on, in words."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from cuello.core.rights import NOT_STATED, stated
from cuello.data.catalog import CATALOG
from cuello.data.handed import is_handed


def rights_of(training: Mapping[str, Any]) -> dict[str, str]:
    """Return licence, author, citation and training data of a network by the settings of its training."""
    return {**stated(training), "training data": training_data(str(training.get("data") or ""))}


def training_data(data: str) -> str:
    """Say on which images a network was trained: a data set of the catalogue with its licence; others by their name.

    >>> training_data("/home/ada/cells")
    "images of the author's own, cells"
    """
    if data in CATALOG:
        spec = CATALOG[data]
        return f"{data}: {spec.summary} (source: {spec.source}; licence: {spec.licence})"
    if is_handed(data):
        return "images handed in from Python"
    return f"images of the author's own, {PurePath(data).name}" if data else NOT_STATED
