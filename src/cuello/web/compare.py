"""Runs side by side: their curves at once, and the page of `cuello compare`."""

from nicegui import ui

from cuello.web.commands import CommandLine
from cuello.web.frame import CommandBox, card, frame, run_shown, tell_runs
from cuello.web.run import chart
from cuello.web.site import Site
from cuello.web.state import RunState, list_runs

COLOURS = ("#e2611c", "#3f86c9", "#1f9d8b", "#8a6fd1", "#b5861b", "#c0527f", "#7f8a99", "#6b8e3a")
"""Of curves; they can be read by day and by night."""


def add_compare(site: Site) -> None:
    @ui.page("/compare")
    def compare_page() -> None:
        with frame("Compare", "Compare"):
            runs = [one for one in list_runs(site.runs) if one.records]
            if not runs:
                tell_runs(site)
                return
            ComparePage(site, runs)


class ComparePage:
    """The choice of runs, their curves, and their comparison."""

    def __init__(self, site: Site, runs: list[RunState]) -> None:
        self.site, self.runs = site, {one.name: one for one in runs}
        like = [one.name for one in runs if one.config and runs[0].config and one.config.job == runs[0].config.job]
        with card():
            self.chosen = (
                ui.select(list(self.runs), value=like[:4], label="runs", multiple=True, on_change=self.draw)
                .props("outlined dense use-chips")
                .classes("field")
            )
            self.command = CommandBox(None)
            with ui.element("div").classes("actions"):
                ui.button("Compare", on_click=self.compare)
        self.curves, self.shown = ui.element("div"), ui.element("div")
        self.draw()

    @property
    def places(self) -> list[str]:
        return [str(self.runs[name].path) for name in self.chosen.value or []]

    def draw(self) -> None:
        """Draw the curves of what is chosen."""
        self.command.show(CommandLine(["compare", *self.places, "--html", "compare.html"]))
        self.curves.clear()
        lines = [
            (name, COLOURS[place % len(COLOURS)], [one.validation_loss for one in self.runs[name].records])
            for place, name in enumerate(self.chosen.value or [])
        ]
        if lines:
            positive = all(value > 0 for _, _, values in lines for value in values)
            with self.curves, card():
                ui.echart(chart("validation loss", lines, logarithmic=positive)).classes("curve")

    async def compare(self) -> None:
        """Make the comparison's page, and show it."""
        page = self.site.new_folder() / "compare.html"
        words = ["compare", *self.places, "--html", str(page), "--quiet"]
        await run_shown(CommandLine(words), self.shown, "comparing …")
        if page.is_file():  # runs that were left out are named beside it
            address = self.site.offer(page)
            with self.shown, card("Comparison"):
                ui.link("Open it by itself", address, new_tab=True).classes("plain")
                ui.element("iframe").props(f'src="{address}" title="comparison"').classes("report").style(
                    "margin-top: .7rem"
                )
