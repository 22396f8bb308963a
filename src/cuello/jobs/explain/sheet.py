"""explain.html: what a classifier looks at, image by image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cuello.jobs.explain.figures import Compared, Scale, Shown, comparison, contact_sheet
from cuello.report.figures import THEMES, save_both
from cuello.report.page import Picture, Section, Table, write_page

SHEET = 48
"""Images on the contact sheet, at most: spread evenly over all."""


def write_explanation(
    folder: Path,
    title: str,
    subtitle: str,
    verdict: str,
    shown: Sequence[Shown],
    scale: Scale,
    compared: Sequence[Compared],
    check: Table | None,
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> None:
    """Write explain.png and explain.html.

    verdict: said first, or "". shown: what is drawn. compared: the worst images of a check, and check: its numbers, if
    there was one. rows: name, class, score, least and largest value of the map, one an image. notes: what else
    to know. settings, environment: as recorded.
    """
    themes = save_both(folder, "explain", lambda theme: contact_sheet(shown, scale, theme))
    legend = (
        f"Left the image, right the map over it in grey. {reading_of(scale)} Below: the ends of the colours, which are "
        "each map's own."
    )
    sections = [
        Section("Maps", notes, [Picture(themes, "Images beside their occlusion maps", legend)]),
        *checked(compared, check),
        Section(
            "Images",
            parts=[Table(["image", "class", "score without a box>", "map, lowest>", "highest>"], rows)],
            folded=len(rows) > SHEET,
        ),
        Section("Settings", parts=[Table(["setting", "value"], [[k, str(v)] for k, v in settings.items()])]),
    ]
    write_page(folder / "explain.html", title, subtitle, verdict, sections, environment)


def reading_of(scale: Scale) -> str:
    """Say how colours are read."""
    if scale.diverging:
        return (
            "Red: hiding this place lowers the score, so it speaks for the class. Blue: hiding it raises the score, so "
            "it speaks against it. Where nothing is laid over the image the place does not matter."
        )
    return (
        "Dark blue is the lowest value of a map: with this place hidden the score is low, so the class depends on it. "
        "Yellow is the highest."
    )


def checked(compared: Sequence[Compared], check: Table | None) -> list[Section]:
    """Return the section about estimated maps beside exact ones, or none."""
    if check is None:
        return []
    parts: list[Table | Picture] = [check]
    if compared:
        themes = {theme.name: comparison(compared, theme) for theme in THEMES}
        many = f"The {len(compared)} checked images" if len(compared) > 1 else "The checked image"
        note = f"{many} with the lowest Pearson correlation{', worst first' if len(compared) > 1 else ''}."
        parts.append(Picture(themes, "Image, exact map, estimated map and their difference", note))
    return [Section("Estimated and exact", parts=parts)]
