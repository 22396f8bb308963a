"""Choosing a folder of the machine that the server runs on."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from nicegui import ui

from cuello.core.files import printable
from cuello.data.picture import SUFFIXES


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder that are not hidden, and can be looked at."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []


def image_count(folder: Path) -> int:
    """Count the files in a folder that are called as images are."""
    with suppress(OSError):
        return sum(path.suffix.lower() in SUFFIXES for path in folder.iterdir())
    return 0


def choose_folder(begin: str, chosen: Callable[[str], Awaitable[None]]) -> None:
    """Open a dialog in which a folder can be chosen."""
    begun = Path(begin).expanduser()
    places = [begun if begin and begun.is_dir() else Path.cwd()]
    with ui.dialog(value=True) as dialog, ui.card().classes("chooser"):
        title = ui.label().classes("name")
        rows = ui.list().props("dense separator").classes("places")
        told = ui.label().classes("note")
        with ui.row():
            take = ui.button("Take this folder")
            ui.button("Cancel", on_click=dialog.close).props("flat")

    def show(folder: Path) -> None:
        places[:] = [folder.absolute()]
        title.set_text(printable(str(places[0])))
        told.set_text(f"{image_count(folder)} images here, without those in folders of it")
        rows.clear()
        with rows:
            ui.item("↑ the folder above", on_click=lambda: show(places[0].parent))
            for path in subfolders(places[0]):
                ui.item(printable(path.name), on_click=partial(enter, path))

    def enter(folder: Path, _: object = None) -> None:
        show(folder)

    async def finish() -> None:
        dialog.close()
        await chosen(str(places[0]))

    take.on_click(finish)
    show(places[0])
