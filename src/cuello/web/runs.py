"""The first page: every run, how it stands, what it reached."""

from urllib.parse import quote

from nicegui import ui

from cuello.runs.look import job_words
from cuello.web.commands import CommandLine
from cuello.web.frame import card, command_box, every, frame, sparkline
from cuello.web.site import Site
from cuello.web.state import RunState, list_runs


def add_runs(site: Site) -> None:
    @ui.page("/")
    def runs_page() -> None:
        with frame("Runs", "Runs"):
            shown = ui.element("div")
            before: list[list[RunState]] = []

            def look() -> None:
                found = list_runs(site.runs)
                if before and before[-1] == found:
                    return
                before[:] = [found]
                shown.clear()
                with shown:
                    show_runs(site, found)

            look()
            every(2.0, look)


def show_runs(site: Site, found: list[RunState]) -> None:
    """List runs, or say what to do where there is none."""
    ui.label(f"In {site.runs.absolute()}").classes("note")
    if not found:
        with card():
            ui.label("No network has been trained here yet.")
            with ui.element("div").classes("actions"):
                ui.button("Train one", on_click=lambda: ui.navigate.to("/new"))
            ui.label("Or in a terminal:").classes("note")
            command_box(CommandLine(["train", "denoise", "photos", "--noise", "gaussian:25", "--crop", "64"]))
        return
    with ui.element("div").classes("runs"):
        for one in found:
            show_row(one)


def show_row(one: RunState) -> None:
    with ui.link(target=f"/run/{quote(one.name)}").classes("run"):
        with ui.element("div"):
            ui.label(one.name).classes("name")
            config = one.config
            ui.label(f"{job_words(config.job, config.noise)} · {config.model}" if config else "").classes("caption")
        ui.label(one.words).classes(f"state {one.kind}")
        ui.label(one.score).classes("score")
        ui.html(sparkline(one.records), sanitize=False).classes("spark-box")
        if one.verdict or one.problem:
            ui.label(one.verdict or one.problem).classes("verdict")
