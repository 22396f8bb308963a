"""What a finished run can be taken away as: its own file, or what `cuello export` makes of it."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nicegui import run, ui

from cuello.exporting import export as known
from cuello.web.commands import CommandLine
from cuello.web.frame import CommandBox, card, run_shown
from cuello.web.site import Site
from cuello.web.state import RunState


@dataclass(frozen=True)
class ExportForm:
    """A form that a model can be exported in: what it is called and for, the ending of its file ("" for a folder)."""

    label: str
    use: str
    ending: str
    flags: tuple[str, ...] = ()

    def command(self, state: RunState, folder: Path = Path()) -> CommandLine:
        """Make the command that exports a run's model to a folder."""
        target = folder / f"{state.path.name}{self.ending}"
        return CommandLine(["export", str(state.path), str(target), *self.flags])


FORMS = (
    ExportForm("ONNX", "one file for programs in any language", ".onnx"),
    ExportForm("Web page", "one page that works offline, from a memory stick", ".html"),
    ExportForm("Hugging Face", "a folder for the hub, with its model card", "", flags=("--hub",)),
    ExportForm("BioImage.IO", "a package for Fiji, ilastik and QuPath", ".zip", flags=("--bioimage",)),
)


def offered() -> list[ExportForm]:
    """List the forms that `cuello export` can write."""
    return [form for form in FORMS if (form.flags[0][2:] in known.NAMED if form.flags else form.ending in known.FORMS)]


def show_export(site: Site, state: RunState) -> None:
    """Offer a run's model, and its other forms."""
    with card("Take it with you"):
        with ui.element("div").classes("actions").style("margin-top: 0"):
            model = state.run.model_path
            name = f"{state.path.name}.safetensors"
            ui.button("Model file", icon="download", on_click=lambda: ui.download.file(model, name)).props("outline")
            forms = offered()
            buttons = [ui.button(form.label).props("outline").tooltip(form.use) for form in forms]
        made = ui.element("div")
        for button, form in zip(buttons, forms, strict=True):
            button.on_click(partial(export, site, state, form=form, place=made))


async def export(site: Site, state: RunState, *, form: ExportForm, place: ui.element) -> None:
    """Export a model, and offer what was made; a folder as a zip."""
    folder = site.new_folder()
    done = await run_shown(form.command(state, folder), place, f"{form.label}: {form.use} …")
    target = folder / f"{state.path.name}{form.ending}"
    with place:
        CommandBox(form.command(state))
        if done.problem:
            return
        for line in done.out.splitlines():
            if str(folder) not in line:
                ui.label(line).classes("note")
        if target.is_dir():
            target = Path(str(await run.io_bound(shutil.make_archive, str(target), "zip", str(target))))
        ui.button(f"Download {target.name}", icon="download", on_click=lambda: ui.download.file(target))
