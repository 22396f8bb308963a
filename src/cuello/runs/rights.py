"""What an artefact says of whose it is, and of the images that it was trained on, in words."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cuello.core.rights import NOT_STATED, stated
from cuello.data.catalog import CATALOG
from cuello.data.handed import is_handed
from cuello.runs.origin import told_origins

if TYPE_CHECKING:
    from cuello.runs.artefact import Artefact


def rights_of(artefact: "Artefact") -> dict[str, str]:
    """Return licence, author, citation and training data of a network, with whose these are, and all that it says of
    the networks that it started from; where there are none, nothing is said of them.
    """
    own = {**stated(artefact.training), "training data": trained_on(artefact.training, artefact.trained_on)}
    origins = artefact.started_from
    return {**own, "started from": told_origins(origins)} if origins else own


def trained_on(training: Mapping[str, Any], kept: str = "") -> str:
    """Say on which images a network was trained: in the words that its file keeps, or else by its settings."""
    return kept or training_data(str(training.get("data") or ""))


def words_to_keep(data: str) -> str:
    """Return what a network's file keeps of its training images: whose they are, where others made them."""
    return training_data(data) if data in CATALOG and CATALOG[data].files() else ""


def training_data(data: str) -> str:
    """Say on which images a network was trained: a data set of the catalogue with its licence and, where each image
    has an author of its own, these; others by their name.

    >>> training_data("/home/ada/cells")
    "images of the author's own, cells"
    """
    if data in CATALOG:
        spec = CATALOG[data]
        whose = ", ".join(f"{one['author']} ({one['licence']})" for one in spec.credits)
        by = f"; by {whose}" if whose else ""
        return f"{data}: {spec.summary} (source: {spec.source}; licence: {spec.licence}{by})"
    if is_handed(data):
        return "images handed in from Python"
    return f"images of the author's own, {PurePath(data).name}" if data else NOT_STATED
