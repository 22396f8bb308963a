"""What a classifier decides by: exact occlusion maps, and estimated ones beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui

from cuello.web.commands import CommandLine
from cuello.web.dropped import by_name, drop_zone, save_all
from cuello.web.frame import CommandBox, card, frame, note, run_select, run_shown, tell_runs
from cuello.web.site import Site
from cuello.web.state import RunState, list_runs

FEW = 8
"""Images of a folder that are explained, at most."""
LEARNED = ("box", "stride", "fill")
"""Settings of maps that an estimator has learned; exact maps beside it are made with the same."""


def add_explain(site: Site) -> None:
    @ui.page("/explain")
    def explain_page(run: str = "") -> None:
        with frame("Explain a classifier", "Explain"):
            runs = [one for one in list_runs(site.runs) if one.has_model and one.config is not None]
            classifiers = [one for one in runs if one.gives == "classes"]
            if not classifiers:
                tell_runs(site)
                return
            estimators = [one for one in runs if one.gives == "maps"]
            ExplainPage(site, classifiers, estimators=estimators, chosen=run)


def exact_words(estimator: RunState | None) -> list[str]:
    """Return the flags that make exact maps of the kind that an estimator has learned."""
    if estimator is None or estimator.config is None:
        return []
    words = [word for name in LEARNED for word in (f"--{name}", str(getattr(estimator.config, name)))]
    return [*words, "--definition", "standardised-sum"]


class ExplainPage:
    """The choice of a classifier, an estimator and images, and their maps."""

    def __init__(
        self, site: Site, classifiers: Sequence[RunState], *, estimators: Sequence[RunState], chosen: str
    ) -> None:
        self.site, self.runs = site, {one.name: one for one in (*classifiers, *estimators)}
        with card():
            with ui.element("div").classes("fields"):
                self.classifier = run_select("classifier", classifiers, chosen)
                self.estimator = run_select("estimator of its maps, beside the exact ones", estimators, clearable=True)
                self.data = ui.input("folder or data set", value=self.runs[str(self.classifier.value)].config.data)  # type: ignore[union-attr]
                self.data.props("outlined dense").classes("field")
            with ui.element("div").classes("actions"):
                ui.button("Explain some of these", on_click=self.named)
            drop_zone("Or drop images here", self.take)
        self.commands, self.shown = ui.element("div"), ui.element("div")

    async def named(self) -> None:
        data = str(self.data.value or "").strip()
        await self.explain(data, self.site.new_folder(), ["--limit", str(FEW)])

    async def take(self, files: Sequence[Any]) -> None:
        folder = self.site.new_folder()
        await save_all(files, folder / "in")
        await self.explain(str(folder / "in"), folder, [])

    async def explain(self, images: str, folder: Path, more: Sequence[str]) -> None:
        """Make the maps, exact ones and, with an estimator, estimated ones."""
        classifier = str(self.runs[str(self.classifier.value)].path)
        estimator = self.runs.get(str(self.estimator.value))
        kinds = {"exact": exact_words(estimator)}
        if estimator is not None:
            kinds["estimated"] = ["--model", str(estimator.path)]
        self.commands.clear()
        found: dict[str, tuple[dict[str, Any], Path]] = {}
        dropped = folder / "in" if images.startswith(str(folder)) else None
        for name, words in kinds.items():
            place = images if dropped is None else "IMAGES"
            with self.commands:
                CommandBox(CommandLine(["explain", classifier, place, "-o", f"maps-{name}", *more, *words]))
            real = ["explain", classifier, images, "-o", str(folder / name), *more, *words, "--json", "--quiet"]
            done = await run_shown(CommandLine(real), self.shown, f"{name} maps …", dropped=dropped)
            if done.problem:
                return
            found[name] = (json.loads(done.out), folder / name)
        with self.shown:
            show_maps(self.site, found, dropped=dropped)


def show_maps(site: Site, found: Mapping[str, tuple[Mapping[str, Any], Path]], *, dropped: Path | None = None) -> None:
    """Show overlays of the same images side by side, a column a kind of map.

    found: by kind, what was said, where. dropped: where dropped files lie.
    """
    first = next(iter(found.values()))[0]
    with card():
        for kind, (told, folder) in found.items():
            seconds = told.get("seconds_per_map")
            time = "" if seconds is None else f": {1000 * seconds:.3g} ms for a map"
            with ui.row().classes("busy"):
                note(f"{kind or 'maps'}{time}")
                ui.link("report", site.offer(folder / "explain.html"), new_tab=True).classes("plain")
        for text in [*first["notes"], *(one["problem"] for one in first["failed"])]:
            note(by_name(str(text), dropped))
    for place, image in enumerate(first["images"]):
        title = f"{image['name']}: {image['class']}, {score_text(image['score'])}"
        with card(title), ui.element("div").classes("two shown"):
            for kind, (told, folder) in found.items():
                if place < len(told["overlays"]):
                    with ui.element("figure"):
                        ui.image(site.offer(folder / "overlays" / told["overlays"][place])).props("no-spinner")
                        ui.label(kind).classes("caption")


def score_text(score: float) -> str:
    """Write a probability in percent, another score as it is."""
    return f"{score:.1%}" if 0 <= score <= 1 else f"{score:.3g}"
