"""What every page looks like, and the few pieces that pages are made of."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any

from nicegui import background_tasks, ui

from cuello.core.errors import CuelloError
from cuello.runs.history import EpochRecord
from cuello.web.commands import CommandLine, Done, finished
from cuello.web.dropped import by_name
from cuello.web.site import Site
from cuello.web.state import RunState

PAGES = {
    "Runs": "/", "New": "/new", "Compare": "/compare", "Try": "/try", "Latent map": "/latent", "Explain": "/explain",
}  # fmt: skip
STYLE = Path(__file__).with_name("style.css").read_text("utf-8")


@contextmanager
def frame(title: str, here: str = "") -> Iterator[None]:
    """Give a page its head with the ways to the others, its title, and room for what it is of."""
    ui.page_title(f"{title} · cuello")
    ui.colors(primary="#c2410c", positive="#0f766e", negative="#b42318")
    ui.add_css(STYLE)
    with ui.header(elevated=False).classes("head"), ui.element("nav").props('aria-label="pages"'):
        ui.link("cuello", "/").classes("brand")
        for name, place in PAGES.items():
            link = ui.link(name, place).classes("way")
            if name == here:
                link.classes("here").props('aria-current="page"')
    with ui.element("main").classes("page"):
        ui.label(title).classes("title").props("role=heading aria-level=1")
        yield


@contextmanager
def card(title: str = "") -> Iterator[None]:
    """Give a part of a page its box."""
    with ui.element("section").classes("card"):
        if title:
            ui.label(title).classes("subtitle").props("role=heading aria-level=2")
        yield


def note(text: str) -> ui.label:
    return ui.label(text).classes("note")


def problem(text: str) -> None:
    """Say what went wrong, in the words of the command line."""
    ui.label(text).classes("problem").props("role=alert")


def command_box(command: CommandLine) -> "CommandBox":
    return CommandBox(command)


class CommandBox:
    """A command as it can be typed, with a button that copies it; it follows what is chosen on the page."""

    def __init__(self, command: CommandLine | None) -> None:
        self.command = command
        with ui.element("div").classes("command"):
            self.words = ui.html(sanitize=False).classes("words").props('role=region aria-label="command"')
            copy = ui.button(icon="content_copy", on_click=self.copy).props('flat dense round aria-label="copy"')
            copy.classes("copy")
        if command is not None:
            self.show(command)

    def show(self, command: CommandLine) -> None:
        """Show a command; a line may end between words, not within a flag."""
        self.command = command
        self.words.set_content(" ".join(f"<span>{escape(word)}</span>" for word in command.quoted))

    def copy(self) -> None:
        ui.clipboard.write(str(self.command))
        ui.notify("copied", position="bottom", timeout=1200)


async def run_shown(command: CommandLine, place: ui.element, doing: str, dropped: Path | None = None) -> Done:
    """Run a command while the page says so; a page that is closed ends it. dropped: where dropped files lie."""
    place.clear()
    with place, ui.row().classes("busy"):
        ui.spinner(size="1.4em")
        ui.label(doing)
    task = background_tasks.create(finished(command), name=doing)
    place.client.on_delete(task.cancel)
    done = await task
    place.clear()
    if done.problem:
        with place:
            problem(by_name(done.problem, dropped))
    return done


@contextmanager
def told(place: ui.element | None = None) -> Iterator[None]:
    """Say a user's mistake on the page instead of failing."""
    try:
        yield
    except CuelloError as error:
        if place is None:
            ui.notify(str(error), type="negative", position="top", timeout=8000, multi_line=True)
            return
        place.clear()
        with place:
            problem(str(error))


def run_select(label: str, runs: Sequence[RunState], chosen: str = "", **options: Any) -> ui.select:
    """Let a run be chosen by its name."""
    names = [one.name for one in runs]
    value = chosen if chosen in names else (names[0] if names else None)
    return ui.select(names, value=value, label=label, **options).classes("field").props("outlined dense")


def tell_runs(site: Site) -> None:
    """Say what to do where there is no run yet."""
    with card():
        ui.label(f"There is no such run in {site.runs} yet.")
        ui.link("Train a network", "/new").classes("plain")


def every(seconds: float, look: Callable[[], None]) -> None:
    """Look again and again, as long as the page is open; a folder that is gone meanwhile is no fault."""

    def again() -> None:
        with suppress(CuelloError, OSError):
            look()

    ui.timer(seconds, again)


def sparkline(records: Sequence[EpochRecord], width: int = 120, height: int = 30) -> str:
    """Draw the validation loss by epoch, small, as SVG; "" with fewer than two epochs."""
    losses = [record.validation_loss for record in records]
    if len(losses) < 2:
        return ""
    low, high = min(losses), max(losses)
    across, up = (width - 4) / (len(losses) - 1), (height - 6) / ((high - low) or 1.0)
    points = [(2 + place * across, 3 + (high - loss) * up) for place, loss in enumerate(losses)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[losses.index(low)]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="validation loss by epoch"><polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
        "</svg>"
    )
