"""One run: its curves as they grow, what it says, stop and go on, its report."""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nicegui import run, ui

from cuello.core.errors import CuelloError
from cuello.core.files import printable
from cuello.runs.look import run_facts
from cuello.web.commands import CommandLine, said, start, started
from cuello.web.export import show_export
from cuello.web.frame import card, command_box, every, frame, note, problem, told
from cuello.web.site import Site
from cuello.web.state import RunState, changed, forget_failed, run_named, stop

if TYPE_CHECKING:
    from cuello.web.examples import Example

WAYS = {"images": ("Try", "image", "/try"), "classes": ("Explain", "search", "/explain")}
"""Where a finished network can be tried: the button's name, its picture, the page."""
EXAMPLES_AGAIN = 3.0
"""Seconds from one look for better weights to the next."""

GREY, OURS, OTHER = "#7f8a99", "#e2611c", "#3f86c9"
"""Colours of curves that can be read by day and by night."""


def add_run(site: Site) -> None:
    @ui.page("/run/{name:path}")
    def run_page(name: str) -> None:
        with frame(name, "Runs"):
            place = ui.element("div")
            with told(place):
                RunPage(site, run_named(site.runs, name))


def curves(state: RunState) -> list[dict[str, Any]]:
    """Describe the charts of a run: the loss, and the score where there is one."""
    records = state.records
    losses = [("training", GREY, [one.loss for one in records])]
    losses.append(("validation", OURS, [one.validation_loss for one in records]))
    positive = all(value > 0 for _, _, values in losses for value in values)
    charts = [chart("loss", losses, logarithmic=positive)]
    if any(one.validation_accuracy is not None for one in records):
        found = [100 * (one.validation_accuracy or 0.0) for one in records]
        charts.append(chart("validation accuracy, %", [("accuracy", OURS, found)]))
    elif records and all(math.isfinite(one.validation_psnr) for one in records):
        charts.append(chart("validation PSNR, dB", [("PSNR", OURS, [one.validation_psnr for one in records])]))
    return charts


def chart(title: str, lines: list[tuple[str, str, list[float]]], logarithmic: bool = False) -> dict[str, Any]:
    """Describe a chart of values by epoch."""
    faint = {"lineStyle": {"color": GREY, "opacity": 0.25}}
    series = [
        {
            "type": "line", "name": name, "color": colour, "showSymbol": len(values) == 1, "lineStyle": {"width": 2},
            "data": [[place, float(f"{value:.6g}")] for place, value in enumerate(values, 1)],
        }
        for name, colour, values in lines
    ]  # fmt: skip
    return {
        "animation": False,
        "title": {"text": title, "textStyle": {"color": GREY, "fontSize": 13, "fontWeight": 600}, "left": 0, "top": 0},
        "legend": {"show": len(lines) > 1, "right": 0, "top": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 58, "right": 14, "top": 36, "bottom": 34},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "value", "min": 1, "minInterval": 1, "axisLabel": {"color": GREY}, "splitLine": {"show": False},
            "name": "epoch", "nameLocation": "middle", "nameGap": 22, "nameTextStyle": {"color": GREY},
            "max": max(2, *(len(values) for _, _, values in lines)),
        },
        "yAxis": {
            "type": "log" if logarithmic else "value", "scale": True, "axisLabel": {"color": GREY}, "splitLine": faint,
        },
        "series": series,
    }  # fmt: skip


def read_examples(state: RunState) -> "list[Example]":
    """Make examples, none where that cannot be done: the training itself says what is wrong."""
    from cuello.web.examples import examples

    if state.config is None:
        return []
    with suppress(CuelloError, OSError, ValueError, RuntimeError):
        return examples(state.path, state.config)
    return []


class RunPage:
    """The parts of the page, each drawn anew only when what it shows has changed."""

    def __init__(self, site: Site, state: RunState) -> None:
        self.site, self.state = site, state
        with card():
            self.head, self.actions = ui.element("div"), ui.element("div")
        self.charts: list[ui.echart] = []
        self.curves = ui.element("div")
        self.examples = ui.element("div")
        self.export, self.rest = ui.element("div"), ui.element("div")
        self.drawn: dict[str, Any] = {}
        self.draw()
        every(1.0, self.look)
        ui.timer(EXAMPLES_AGAIN, self.show_examples)

    def look(self) -> None:
        self.state = run_named(self.site.runs, self.state.name)
        self.draw()

    def changed(self, part: str, value: Any) -> bool:
        """Tell whether a part shows something else now."""
        same = part in self.drawn and self.drawn[part] == value
        self.drawn[part] = value
        return not same

    def draw(self) -> None:
        state = self.state
        if self.changed("head", (state.kind, len(state.records), state.problem, state.verdict, state.alive)):
            self.head.clear()
            with self.head:
                self.show_head()
        if self.changed("actions", (state.kind, state.has_model, state.can_go_on)):  # what is clicked must stay there
            self.actions.clear()
            with self.actions:
                self.show_actions()
        if self.changed("curves", tuple(state.records)):
            self.draw_curves()
        if self.changed("export", state.has_model and not state.alive):
            self.export.clear()
            if state.has_model and not state.alive:
                with self.export:
                    show_export(self.site, state)
        when = changed(state.run.report_path)
        if self.changed(
            "rest", (when, state.kind, said(self.site.runs, state.name) if state.kind != "finished" else "")
        ):
            self.rest.clear()
            with self.rest:
                self.show_rest(when)

    async def show_examples(self) -> None:
        """Show what the best weights so far make of some images, until the report shows more."""
        state = self.state
        if state.kind == "finished" or not state.has_model or state.gives not in ("images", "classes"):
            if self.changed("examples", 0.0):
                self.examples.clear()
            return
        if not self.changed("examples", changed(state.run.model_path)):
            return
        found = await run.io_bound(read_examples, state)
        self.examples.clear()
        if found:
            with self.examples, card("Examples, by the best weights so far"):
                for name, pictures in found:
                    with ui.element("div").classes("example"):
                        for said_of_it, address in pictures:
                            with ui.element("figure"):
                                ui.image(address).props("no-spinner no-transition").classes("thumb")
                                ui.label(said_of_it).classes("caption")
                    ui.label(name).classes("caption")
                note("Images of the set, those of the training among them; the report is made with others.")

    def show_head(self) -> None:
        state = self.state
        with ui.element("div").classes("actions").style("margin-top: 0"):
            ui.label(state.words).classes(f"state {state.kind}")
            if state.kind in ("training", "judging"):
                ui.linear_progress(state.progress, show_value=False, size="6px").props("rounded").style("flex: 1")
        if state.problem:
            problem(state.problem)
        if state.verdict:
            ui.label(state.verdict).classes("verdict-big")
        if state.config is not None:
            facts = [one for one in run_facts(state.config, state.records, {}) if one[0] != "verdict"]
            with ui.element("div").classes("facts").style("margin-top: .8rem"):
                for name, text in [*facts, ("folder", str(state.path))]:
                    ui.label(name)
                    ui.label(printable(text))

    def show_actions(self) -> None:
        state = self.state
        with ui.element("div").classes("actions"):
            if state.alive:
                ui.button("Stop", icon="stop", on_click=self.stop).props("outline")
            elif state.can_go_on and state.kind != "finished":
                ui.button("Go on", icon="play_arrow", on_click=self.go_on)
            if state.has_model and state.gives in WAYS:
                name, icon, page = WAYS[state.gives]
                ui.button(name, icon=icon, on_click=lambda: ui.navigate.to(f"{page}?run={quote(state.name)}")).props(
                    "flat"
                )
            if state.has_model and state.is_coder:
                walk = f"/latent?run={quote(state.name)}"
                ui.button("Latent map", icon="explore", on_click=lambda: ui.navigate.to(walk)).props("flat")
            if state.kind == "failed" and state.config is None:
                ui.button("Take off the list", on_click=self.forget).props("flat")
        record = started(self.site.runs, state.name)
        if state.alive:
            note("Stop ends it as Ctrl-C does: all epochs that have ended are kept. Closing this page stops nothing.")
            if record is not None and record.owner == state.owner:
                command_box(CommandLine(record.words))
        elif state.can_go_on and state.kind != "finished":
            command_box(self.resume)
        elif record is not None:
            command_box(CommandLine(record.words))

    @property
    def resume(self) -> CommandLine:
        return CommandLine(["resume", str(self.state.path)])

    def stop(self) -> None:
        with told():
            stop(run_named(self.site.runs, self.state.name))
            ui.notify("it stops at its next step", position="top")

    def go_on(self) -> None:
        with told():
            if not run_named(self.site.runs, self.state.name).alive:  # of a second click, or another page
                start(self.resume, self.site.runs, self.state.name)
            self.look()

    def forget(self) -> None:
        with told():
            forget_failed(self.site.runs, self.state)
            ui.navigate.to("/")

    def draw_curves(self) -> None:
        found = curves(self.state) if self.state.records else []
        if len(found) != len(self.charts):
            self.curves.clear()
            with self.curves:
                if found:
                    with card("Curves"), ui.element("div").classes("two"):
                        self.charts = [ui.echart(options).classes("curve") for options in found]
            return
        for shown, options in zip(self.charts, found, strict=True):
            shown.options.clear()
            shown.options.update(options)

    def show_rest(self, when: float) -> None:
        state = self.state
        words = said(self.site.runs, state.name)
        if words and state.kind != "finished":
            with card("What it says"):
                ui.label(words.strip()).classes("log")
        if when:
            address = f"{self.site.offer(state.run.report_path)}?{when}"
            with card("Report"):
                ui.link("Open it by itself", address, new_tab=True).classes("plain")
                frame_of = f'src="{address}" title="report" loading="lazy"'
                ui.element("iframe").props(frame_of).classes("report").style("margin-top: .7rem")
