"""A new training: the job, the images and their noise, settings with good defaults, and the command that they are."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import run, ui

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.files import printable
from cuello.core.spread import spread_evenly
from cuello.data.arrays import ImageSource
from cuello.data.catalog import CATALOG, open_source
from cuello.data.found import look
from cuello.data.remote.address import is_url
from cuello.inference.bundled import BUNDLED
from cuello.jobs.words import WORDS
from cuello.web.choices import check, example_of, first_settings, free_name, is_switch, other_settings, train_command
from cuello.web.commands import CommandLine, start
from cuello.web.folders import choose_folder
from cuello.web.frame import CommandBox, card, frame, note, problem, run_shown, told
from cuello.web.pictures import SIDE, inline, png
from cuello.web.site import Site
from cuello.web.state import list_runs

SHOWN = 12
"""Images that are shown of a folder, at most, spread evenly."""
NOISES: tuple[str, ...] = (
    "gaussian:25", "gaussian:5..50", "salt-pepper:0.2", "poisson:30", "blur:1", "jpeg:30", "missing:0.5",
)  # fmt: skip
"""Noises that are offered; any other can be typed."""


def add_new(site: Site) -> None:
    @ui.page("/new")
    def new_page(data: str = "") -> None:
        with frame("New training", "New"):
            NewPage(site, data)


def thumbnails(data: str) -> tuple[str, list[tuple[str, str]]]:
    """Look at images: what they are in a sentence, and some of them, by name, small, or "" where one cannot be read.

    Raises CuelloError where none is there or can be read.
    """
    if data in CATALOG and CATALOG[data].megabytes and not Path(data).exists():
        return f"{CATALOG[data].summary}: {CATALOG[data].contents}; fetched when the training begins", []
    source = open_source(data)
    several = [int(place) for place in spread_evenly(len(source.names), SHOWN)]
    seen = look(data)
    told = " ".join([f"{seen.sentence()}.", *seen.unread[:1]])
    return told, [(printable(source.names[place]), thumbnail(source, place)) for place in several]


def thumbnail(source: ImageSource, place: int) -> str:
    """Return an image as a small picture's address, "" where it cannot be read."""
    try:
        return inline(png(source.read(place).pixels, SIDE))
    except CuelloError:
        return ""


class NewPage:
    """The form, whose command follows what is typed."""

    def __init__(self, site: Site, data: str) -> None:
        self.site, self.looked = site, ""
        self.values: dict[str, Any] = {}
        with card("What should the network learn?"):
            names = {name: name for name in WORDS.names()}
            self.job = ui.select(names, value="denoise", label="job", on_change=self.new_job)
            self.job.props("outlined dense").classes("field")
            self.summary = note("")
        with card("From which images?"):
            with ui.row().classes("busy").style("flex-wrap: nowrap"):
                self.data = ui.input("folder, file or data set", autocomplete=CATALOG.names(), on_change=self.follow)
                self.data.props("outlined dense").classes("field").on("blur", self.look).on("keydown.enter", self.look)
                ui.button("Browse", on_click=self.browse).props("outline")
            self.images = ui.element("div")
            self.noise = ui.element("div")
        self.form = ui.element("div")
        with card("Begin"):
            self.name = ui.input("name of the run", on_change=self.follow).props("outlined dense").classes("field")
            self.command = CommandBox(None)
            self.trouble = ui.element("div")
            with ui.element("div").classes("actions"):
                ui.button("Train", icon="play_arrow", on_click=self.begin)
                note("It goes on when this page is closed.")
        self.given = data
        self.new_job()
        ui.timer(0.1, self.look, once=True)

    @property
    def settings(self) -> dict[str, str]:
        """What stands in the form, of those that have a value."""
        return {
            name: str(one.value or "") for name, one in self.values.items() if one.value not in (None, "", "default")
        }

    def new_job(self) -> None:
        """Begin the form anew, with the job's own settings and its example's values."""
        job = str(self.job.value)
        example = example_of(job)
        self.summary.set_text(WORDS[job].summary)
        if not self.data.value or self.data.value in {example_of(name)["data"] for name in WORDS.names()}:
            self.data.set_value(self.given or example["data"])
        self.values = {}
        self.form.clear()
        with self.form:
            with card("Settings"), ui.element("div").classes("fields"):
                for name in first_settings(job):
                    self.add_field(name, example.get(name, ""))
            with card(), ui.expansion("All settings").classes("field"), ui.element("div").classes("fields"):
                for name in other_settings(job):
                    self.add_field(name, "")
        self.name.set_value(free_name(self.site.runs, job))
        self.follow()

    def add_field(self, name: str, value: str) -> None:
        """Add the field of one setting, its help beneath it."""
        declared = TrainConfig.model_fields[name]
        label = name.replace("_", " ")
        default = "" if declared.default is None else str(declared.default)
        with ui.element("div"):
            if name == "classifier":
                runs = [one for one in list_runs(self.site.runs) if one.gives == "classes"]
                names = [str(one.path) for one in runs if one.has_model]
                field: Any = ui.select(names, value=names[0] if names else None, label=label, on_change=self.follow)
            elif is_switch(name):
                field = ui.select(["default", "yes", "no"], value="default", label=label, on_change=self.follow)
            else:
                offered = list(NOISES) if name == "noise" else None
                if name == "start_from":
                    offered = [*BUNDLED.names(), *(str(one.path) for one in list_runs(self.site.runs) if one.has_model)]
                field = ui.input(label, value=value, placeholder=default, autocomplete=offered, on_change=self.follow)
            field.props("outlined dense stack-label").classes("field")
            ui.label(declared.description or "").classes("note help")
        self.values[name] = field

    def follow(self) -> None:
        """Show the command of what stands there now."""
        if not self.values:
            return
        name = str(self.name.value or "").strip() or "RUN"
        data, settings = str(self.data.value or ""), self.settings
        self.command.show(train_command(str(self.job.value), data, output=self.site.runs / name, settings=settings))

    def browse(self) -> None:
        async def take(folder: str) -> None:
            self.data.set_value(folder)
            await self.look()

        choose_folder(str(self.data.value or ""), take)

    async def look(self) -> None:
        """Show the images at the place that is named, once for each place."""
        data = str(self.data.value or "").strip()
        if not data or data == self.looked:
            return
        self.looked = data
        self.images.clear()
        self.noise.clear()
        try:
            seen = await run.io_bound(thumbnails, data)
        except (CuelloError, OSError, ValueError) as error:
            with self.images:
                problem(str(error))
            return
        if seen is None or data != self.looked:  # the server ends, or another place was named meanwhile
            return
        sentence, several = seen
        with self.images:
            note(sentence)
            with ui.element("div").classes("thumbs"):
                for name, address in several:
                    with ui.element("figure"):
                        if address:
                            ui.image(address).props("no-spinner no-transition").classes("thumb")
                        else:
                            ui.label("cannot be read").classes("thumb unread")
                        ui.label(name).classes("caption")
        if is_url(data) or Path(data).expanduser().exists():
            with self.noise:
                ui.button("Measure their noise", on_click=lambda: self.measure(data)).props("outline")

    async def measure(self, data: str) -> None:
        """Say what the noise of the images is, as `cuello noise` does."""
        folder = self.site.new_folder() / "noise"
        place = data if is_url(data) else str(Path(data).expanduser().absolute())
        done = await run_shown(
            CommandLine(["noise", place, "-o", str(folder), "--json"]), self.noise, "measuring the noise …"
        )
        with self.noise:
            CommandBox(CommandLine(["noise", data]))
            if not done.problem:
                found = json.loads(done.out)
                ui.label(str(found.get("verdict", ""))).classes("verdict-big")
                ui.link("Its report", self.site.offer(folder / "report.html"), new_tab=True).classes("plain")

    def begin(self) -> None:
        """Start the training, or say what is wrong."""
        job, data, settings = str(self.job.value), str(self.data.value or "").strip(), self.settings
        with told(self.trouble):
            check(job, data, settings)
            name = free_name(self.site.runs, job, str(self.name.value or ""))
            start(train_command(job, data, output=self.site.runs / name, settings=settings), self.site.runs, name)
            ui.navigate.to(f"/run/{quote(name)}")
