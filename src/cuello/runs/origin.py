"""Which trained network another one began with, whose that was, and what was taken over from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cuello.core.schema import Name, StoredFields, Text


@dataclass(frozen=True)
class Origin:
    """A trained network whose weights another one began with.

    name: what it was called: a ready model's name, a run's or a file's, an address on the hub. network: its
    architecture. checksum: ``Artefact.checksum`` of it. taken: which layers were taken over, in a sentence. licence,
    author, citation, data: of it and of the images that it was trained on, in words (``runs/rights``).
    """

    name: str
    network: str
    checksum: str
    taken: str
    licence: str
    author: str
    citation: str
    data: str

    @property
    def sentence(self) -> str:
        """Say what it is, and whose."""
        return (
            f"{self.name} ({self.network}, checksum {self.checksum}; licence: {self.licence}; author: {self.author}; "
            f"trained on {self.data})"
        )


class StoredOrigin(StoredFields):
    """An Origin as files hold it."""

    name: Name
    network: Name
    checksum: Name
    taken: Text
    licence: Text
    author: Text
    citation: Text
    data: Text


def origins_of(stored: Sequence[StoredOrigin]) -> tuple[Origin, ...]:
    """Return the networks that a file says another one started from."""
    return tuple(Origin(**dict(one)) for one in stored)


def told_origins(origins: Sequence[Origin]) -> str:
    """Say which networks a network started from, one after the other, and whose they are."""
    return ", which started from ".join(origin.sentence for origin in origins)
