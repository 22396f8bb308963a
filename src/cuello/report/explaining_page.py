"""explain.html: what a classifier looks at, image by image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cuello.report.explaining_figures import Scale, Shown, contact_sheet
from cuello.report.figures import save_both
from cuello.report.page import Picture, Section, Table, write_page

SHEET = 48
"""Images on the contact sheet, at most: spread evenly over all."""


def write_explanation(
    folder: Path,
    title: str,
    subtitle: str,
    shown: Sequence[Shown],
    scale: Scale,
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> None:
    """Write explain.png and explain.html.

    shown: what is drawn. rows: name, class, score, least and largest value of the map, one an image. notes: what else
    to know. settings, environment: as recorded.
    """
    themes = save_both(folder, "explain", lambda theme: contact_sheet(shown, scale, theme))
    if scale.diverging:
        reading = (
            "Red: hiding this place lowers the score, so it speaks for the class. Blue: hiding it raises the score, so "
            "it speaks against it. Where nothing is laid over the image the place does not matter."
        )
    else:
        reading = "Dark blue is the lowest value of a map and yellow the highest."
    legend = f"Left the image, right the map over it in grey. {reading} Below: what the ends of the colours stand for."
    sections = [
        Section("Maps", notes, [Picture(themes, "Images beside their occlusion maps", legend)]),
        Section(
            "Images",
            parts=[Table(["image", "class", "score without a box>", "map, lowest>", "highest>"], rows)],
            folded=len(rows) > SHEET,
        ),
        Section("Settings", parts=[Table(["setting", "value"], [[k, str(v)] for k, v in settings.items()])]),
    ]
    write_page(folder / "explain.html", title, subtitle, "", sections, environment)
