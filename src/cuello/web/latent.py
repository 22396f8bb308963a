"""The latent map: known images at their codes, and the image of whatever place is pointed at."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from nicegui import run, ui

from cuello.core.errors import CuelloError
from cuello.web.commands import CommandLine
from cuello.web.compare import COLOURS
from cuello.web.frame import CommandBox, card, frame, note, problem, run_select, tell_runs
from cuello.web.pictures import inline, png
from cuello.web.site import Site
from cuello.web.state import RunState, changed, list_runs

if TYPE_CHECKING:
    from cuello.web.walk import CodePlane

SIDE, FEW = 600, 60
"""Sides of the map in its own unit; so many images are drawn themselves, more are points."""


def add_latent(site: Site) -> None:
    @ui.page("/latent")
    def latent_page(run: str = "") -> None:
        with frame("Latent map", "Latent map"):
            runs = [one for one in list_runs(site.runs) if one.has_model and one.is_coder]
            if not runs:
                tell_runs(site)
                return
            LatentPage(runs, run)


def to_map(walk: "CodePlane", points: np.ndarray) -> np.ndarray:
    """Bring places of the plane to places of the map, whose y points down."""
    low, high = walk.ends
    return (points - low) / (high - low) * (SIDE, -SIDE) + (0, SIDE)


def from_map(walk: "CodePlane", x: float, y: float) -> tuple[float, float]:
    """Bring a place of the map to the plane."""
    low, high = walk.ends
    across, up = low + (high - low) * np.clip([x / SIDE, 1 - y / SIDE], 0, 1)
    return float(across), float(up)


def drawing(walk: "CodePlane") -> str:
    """Draw the known images at their places, few as they are, many as points in the colours of their labels."""
    kinds = sorted(set(walk.labels))
    colour = {kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(kinds)}
    parts = []
    for (x, y), label, image in zip(to_map(walk, walk.points), walk.labels, walk.images, strict=True):
        if len(walk.images) <= FEW:
            address = inline(png((255 * image).round().astype(np.uint8)))
            parts.append(
                f'<image href="{address}" x="{x - 17:.1f}" y="{y - 17:.1f}" width="34" height="34" '
                'style="image-rendering: pixelated"/>'
            )
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour[label]}" fill-opacity="0.75"/>')
    return "".join(parts)


class LatentPage:
    """The choice of a run, its map, and the image of the place."""

    def __init__(self, runs: list[RunState], chosen: str) -> None:
        self.runs = {one.name: one for one in runs}
        self.walk: CodePlane | None = None
        self.place, self.shown = (0.0, 0.0), (np.nan, np.nan)
        with card():
            self.choice = run_select("autoencoder", runs, chosen, on_change=self.open)
            self.command = CommandBox(None)
        self.body = ui.element("div")
        ui.timer(0.08, self.follow)
        ui.timer(0.1, self.open, once=True)

    async def open(self) -> None:
        """Read the model and its images, and draw the map."""
        state = self.runs[str(self.choice.value)]
        self.walk = None
        self.command.show(CommandLine(["latent", str(state.path)]))
        self.body.clear()
        with self.body, ui.row().classes("busy"):
            ui.spinner(size="1.4em")
            ui.label("reading the model and its images …")
        try:
            walk = await run.io_bound(self.read, state)
        except (CuelloError, OSError, ValueError) as error:
            walk, words = None, str(error)
        else:
            words = ""
        self.body.clear()
        with self.body:
            if walk is None:
                problem(words)
                return
            self.draw(walk)

    @staticmethod
    def read(state: RunState) -> "CodePlane":
        from cuello.web.walk import open_walk

        return open_walk(state.path, changed(state.run.model_path))

    def draw(self, walk: "CodePlane") -> None:
        low, high = walk.ends
        with card(), ui.element("div").classes("two"):
            with ui.element("div"):
                self.map = ui.interactive_image(size=(SIDE, SIDE), events=["mousemove", "click"], sanitize=False)
                self.map.classes("map").on(
                    "mouse", self.point, args=["image_x", "image_y"], throttle=0.04
                )  # fmt: skip
                note(f"{len(walk.points):,} known images: {walk.about}. Move over the map, or drag the sliders.")
            with ui.element("div"):
                self.image = (
                    ui.image().props('no-spinner no-transition fit=contain alt="the decoded image"').classes("decoded")
                )
                self.said = note("")
                self.sliders = [
                    ui.slider(min=float(low[axis]), max=float(high[axis]), step=float(high[axis] - low[axis]) / 200)
                    .props(f'aria-label="{name}"')
                    .on_value_change(partial(self.slide, axis))
                    for axis, name in enumerate(("to the right", "upwards"))
                ]
        self.points = drawing(walk)
        middle = (low + high) / 2
        self.place, self.shown = (float(middle[0]), float(middle[1])), (np.nan, np.nan)
        self.walk = walk

    def point(self, event: Any) -> None:
        if self.walk is not None:
            self.place = from_map(self.walk, event.args["image_x"], event.args["image_y"])

    def slide(self, axis: int, event: Any) -> None:
        if self.walk is not None and event.value is not None:
            x, y = self.place
            self.place = (event.value, y) if axis == 0 else (x, event.value)

    async def follow(self) -> None:
        """Decode the place that is pointed at, the latest one, as fast as that goes."""
        walk, place = self.walk, self.place
        if walk is None or place == self.shown:
            return
        self.shown = place
        pixels = await run.io_bound(walk.decoded, *place)
        if pixels is None or self.walk is not walk:
            return
        self.image.set_source(inline(png(pixels)))
        self.said.set_text(f"decoded at {place[0]:.3g}, {place[1]:.3g}")
        x, y = to_map(walk, np.array([place]))[0]
        cross = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="none" stroke="#e2611c" stroke-width="3"/>'
        self.map.set_content(self.points + cross)
        for slider, value in zip(self.sliders, place, strict=True):
            slider.set_value(value)
