"""Images that are dropped on a page: where they go, and what they are called there."""

import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nicegui import ui

MEGABYTES = 1024
"""A file may be so large."""


def plain_file_name(name: str, taken: Sequence[str] = ()) -> str:
    """Return the name of a file without a way to it, fit for any folder, and unlike those that are taken.

    >>> plain_file_name("../my scan.png"), plain_file_name("C:\\\\x\\\\-o.tif"), plain_file_name("a.png", ["a.png"])
    ('my scan.png', 'o.tif', 'a-2.png')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = re.sub(r"[^\w .()+-]", "-", last).lstrip(".- ")[-150:] or "image"
    found, number = plain, 2
    while found in taken:
        path = PurePosixPath(plain)
        found, number = f"{path.stem}-{number}{path.suffix}", number + 1
    return found


async def save_all(files: Sequence[Any], folder: Path) -> list[Path]:
    """Write dropped files to a new folder."""
    folder.mkdir()
    paths: list[Path] = []
    for file in files:
        paths.append(folder / plain_file_name(file.name, [path.name for path in paths]))
        await file.save(paths[-1])
    return paths


def by_name(text: str, folder: Path | None) -> str:
    """Speak in a text of dropped files by their names: the folder where they lie is nobody's business.

    >>> by_name("/tmp/x/in/a.png is damaged; 1 file in /tmp/x/in is no image.", Path("/tmp/x/in"))
    'a.png is damaged; 1 file in what was dropped is no image.'
    """
    return text if folder is None else text.replace(f"{folder}{os.sep}", "").replace(str(folder), "what was dropped")


def drop_zone(label: str, take: Callable[[Sequence[Any]], Awaitable[None]]) -> ui.upload:
    """Give a place where images can be dropped, or chosen by a click."""

    async def dropped(event: Any) -> None:
        zone.reset()
        await take(event.files)

    zone = ui.upload(
        label=label, multiple=True, auto_upload=True, on_multi_upload=dropped, max_file_size=MEGABYTES * 2**20,
        on_rejected=lambda: ui.notify(f"files of more than {MEGABYTES} MB: use the command line", type="negative"),
    )  # fmt: skip
    # Each file by a name of its own: of two that are called alike only one would come.
    return zone.classes("drop").props('flat aria-label="images" :field-name="(file) => file.name + Math.random()"')
