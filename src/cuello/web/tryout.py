"""A model tried on images that are dropped: before and after, or classes with what they depend on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nicegui import run, ui

from cuello.core.errors import CuelloError
from cuello.inference.bundled import BUNDLED
from cuello.web.commands import CommandLine
from cuello.web.dropped import by_name, drop_zone, save_all
from cuello.web.explain import show_maps
from cuello.web.frame import CommandBox, card, frame, note, problem, run_shown
from cuello.web.pictures import ends_of, file_pixels, png
from cuello.web.site import Site
from cuello.web.state import RunState, list_runs


def add_tryout(site: Site) -> None:
    @ui.page("/try")
    def try_page(run: str = "") -> None:
        with frame("Try a model", "Try"):
            TryPage(site, run)


def shown_command(model: str, names: Sequence[str]) -> CommandLine:
    """Make the command that does with images of one's own what the page does.

    >>> str(shown_command("denoise", ["a.png"])), str(shown_command("denoise", ["a.png", "b.png"]))
    ('cuello apply denoise a.png a-restored.png', 'cuello apply denoise a.png b.png restored')
    """
    if len(names) == 1:
        stem, dot, suffix = names[0].rpartition(".")
        return CommandLine(
            ["apply", model, names[0], f"{stem}-restored{dot}{suffix}" if dot else f"{names[0]}-restored"]
        )
    return CommandLine(["apply", model, *names, "restored"])


class TryPage:
    """The choice of a model, a place for images, and what became of them."""

    def __init__(self, site: Site, chosen: str) -> None:
        self.site = site
        runs = [one for one in list_runs(site.runs) if one.has_model and one.gives in ("images", "classes")]
        self.models: dict[str, RunState | None] = {one.name: one for one in runs} | dict.fromkeys(BUNDLED.names())
        told = {name: f"{name} · {self.told(name)}" for name in self.models}
        with card():
            value = chosen if chosen in told else next(iter(told))
            self.model = ui.select(told, value=value, label="model").props("outlined dense").classes("field")
            ui.element("div").style("height: .8rem")
            drop_zone("Drop images here, or choose them with +", self.take)
            note("Any size and kind that Cuello reads; they stay on this machine.")
        self.command = ui.element("div")
        self.shown = ui.element("div")

    def told(self, name: str) -> str:
        state = self.models[name]
        return BUNDLED[name].summary if state is None else f"{state.config.job if state.config else ''} {state.score}"

    async def take(self, files: Sequence[Any]) -> None:
        """Run the model on what was dropped."""
        name, folder = str(self.model.value), self.site.new_folder()
        state = self.models[name]
        paths = await save_all(files, folder / "in")
        place = str(state.path) if state is not None else name
        self.command.clear()
        if state is not None and state.gives == "classes":
            await self.explain(place, [path.name for path in paths], folder)
            return
        with self.command:
            CommandBox(shown_command(place, [path.name for path in paths]))
        words = ["apply", place, str(folder / "in"), str(folder / "out"), "--json", "--quiet"]
        done = await run_shown(
            CommandLine(words), self.shown, f"{name} is at work on {len(paths)} images …", dropped=folder / "in"
        )
        if done.problem:
            return
        order, answer = [path.name for path in paths], json.loads(done.out)
        with self.shown:
            for text in answer["notes"]:
                note(by_name(str(text), folder / "in"))
        for one in sorted(answer["files"], key=lambda one: order.index(Path(one["input"]).name)):
            with self.shown, card(Path(one["input"]).name):
                await self.show(one, folder)

    async def explain(self, place: str, names: Sequence[str], folder: Path) -> None:
        with self.command:
            CommandBox(CommandLine(["explain", place, names[0] if len(names) == 1 else "IMAGES", "-o", "maps"]))
        words = ["explain", place, str(folder / "in"), "-o", str(folder / "maps"), "--json", "--quiet"]
        done = await run_shown(
            CommandLine(words), self.shown, "classifying, and hiding one part after another …", dropped=folder / "in"
        )
        if not done.problem:
            with self.shown:
                show_maps(self.site, {"": (json.loads(done.out), folder / "maps")}, dropped=folder / "in")

    async def show(self, one: dict[str, Any], folder: Path) -> None:
        """Show one image before and after, under a slider; or why it could not be done."""
        if one["output"] is None:
            problem(by_name(str(one["reason"]), folder / "in"))
            return
        result = Path(one["output"])
        try:
            sides = await run.io_bound(both_sides, Path(one["input"]), result, folder)
        except (CuelloError, OSError, ValueError) as error:  # a kind that only the command line shows
            note(by_name(str(error), folder / "in"))
            sides = None
        if sides is not None:
            slider(*[self.site.offer(path) for path in sides[:2]])
            note(sides[2])
        for text in one["notes"]:
            note(by_name(str(text), folder / "in"))
        if one["sigma"] is not None:
            note(f"noise of the input, estimated: σ = {one['sigma']:.3g} of 255")
        with ui.element("div").classes("actions"):
            ui.button("Download", icon="download", on_click=lambda: ui.download.file(result)).props("outline")


def both_sides(before: Path, after: Path, folder: Path) -> tuple[Path, Path, str]:
    """Draw an image and its result as pictures, and say their sizes; both in the first one's range."""
    first, second = file_pixels(before), file_pixels(after)
    ends = ends_of(first)
    paths = []
    for name, pixels in (("before", first), ("after", second)):
        paths.append(folder / f"{before.name}-{name}.png")
        paths[-1].write_bytes(png(pixels, ends=ends))
    sizes = [f"{one.shape[1]}×{one.shape[0]}" for one in (first, second)]
    told = f"{sizes[0]} pixels" if sizes[0] == sizes[1] else f"{sizes[0]} → {sizes[1]} pixels"
    return paths[0], paths[1], f"{told} · left: before, right: after"


def slider(before: str, after: str) -> None:
    """Lay a picture over another, as far as a line that is moved by mouse, finger or arrow keys."""
    follow = "this.parentElement.style.setProperty('--at', this.value + '%')"
    ui.html(
        f'<div class="slider"><img src="{after}" alt="after"><img class="over" src="{before}" alt="before">'
        f'<div class="bar"></div><input type="range" min="0" max="100" value="50" step="0.5" oninput="{follow}" '
        'aria-label="how much of the image before is shown"></div>',
        sanitize=False,
    )
