"""Results that go to a URL: each is written whole on this machine, and then put there."""

import os
import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.files import make_folder, sweep_once, temporary_name
from cuello.core.spoken import speak_of
from cuello.data.remote.address import Address, address_of
from cuello.data.remote.cache import remote_cache
from cuello.data.remote.stores import NotThere, files_in, look, opened, put

FEW = 16
"""So many results are asked for one by one, whether they are there; of more the folder is listed."""


@dataclass
class Outbox:
    """A folder of this machine that stands for one in a store.

    place: what stands for the destination, in it. folder, above: the two folders that are the same. keep: how many
    results stay here after they were put there, for who reads them again; None for all.
    """

    system: Any
    place: str
    folder: Path
    above: str
    keep: int | None = 0
    kept: list[Path] = field(default_factory=list)

    def address_of(self, target: Path) -> Address:
        """Say where a result goes."""
        return address_of(f"{self.above}/{target.relative_to(self.folder).as_posix()}")

    def there(self, targets: Sequence[Path]) -> set[Path]:
        """Return which results are in the store already."""
        if len(targets) <= FEW:
            return {target for target in targets if self.is_there(self.address_of(target))}
        around = Path(os.path.commonpath([target.parent for target in targets]))
        try:
            listed = files_in(self.system, self.address_of(around), lambda _: True)
        except NotThere:
            return set()
        names = {one.name for one in listed}
        return {target for target in targets if target.relative_to(around).as_posix() in names}

    def is_there(self, address: Address) -> bool:
        try:
            return look(self.system, address) is not None
        except NotThere:
            return False

    def send(self, target: Path) -> None:
        """Put a result into the store, where it is seen when it is whole."""
        put(self.system, target, self.address_of(target))
        if self.keep is None or len(self.kept) < self.keep:
            self.kept.append(target)
        else:
            target.unlink(missing_ok=True)


def outbox_for(destination: str | os.PathLike[str]) -> Outbox:
    """Make a folder for results that go to a URL; it goes with the outbox.

    Raises CuelloError for https, which is for reading, and for a bucket that is not there.
    """
    text = os.fspath(destination)
    address = address_of(text)
    if address.is_web:
        raise CuelloError(
            f"{address}: got a web address, which is for reading, needed where results can go: a place on this "
            "machine, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER."
        )
    if address.has_magic:
        raise CuelloError(f"{address}: got a pattern, needed the name of a file or folder for the results.")
    system = opened(address)
    try:
        is_folder = look(system, address) is None
    except NotThere:
        is_folder = False
    parent = make_folder(remote_cache() / "sending")
    sweep_once(parent)
    folder = make_folder(parent / temporary_name("results"))
    outer = address.place.rstrip("/").rpartition("/")[0]
    above = f"{address.protocol}:/{f'/{outer}' if outer else ''}"
    speak_of(folder, above)
    place = folder / address.name
    if is_folder:
        make_folder(place)
    outbox = Outbox(system, f"{place}{os.sep if text.endswith('/') else ''}", folder=folder, above=above)
    weakref.finalize(outbox, shutil.rmtree, folder, ignore_errors=True)
    return outbox
