"""What `cuello explain` writes: arrays, overlays, a record, and the page."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.errors import worded
from cuello.core.files import make_folder, replacing, write_bytes
from cuello.data.batches import to_tensor
from cuello.data.picture import SUFFIXES
from cuello.jobs.explain.check import MEASURES, Check, milliseconds, said, sentences, warning
from cuello.jobs.explain.figures import Compared, Scale, Shown, comparison, contact_sheet, overlay_picture
from cuello.jobs.explain.folder import FILES, MAPS_FILE, BegunFiles
from cuello.report.figures import LIGHT, THEMES, save_both
from cuello.report.page import Picture, Section, Table, write_page
from cuello.runs.directory import environment, write_json

SHEET = 48
"""Images on the contact sheet, at most: spread evenly over all."""

WORST = 6
"""Checked images that the page shows, at most: the worst ones."""


@dataclass
class Explained:
    """Maps of images, and where they are written.

    names: of the images. maps: ``(H, W)`` float32 each. classes: the class of each that was explained, by name;
    numbers: by number. scores: what the classifier gives without a box. methods: "incremental" or "batches", both
    exact, or "estimated". failed: (image, why) for each that was left out. notes: what else a user should know.
    written: names of files and folders in ``folder``. overlays: names of the pictures in its folder overlays.
    scored_in_percent: whether scores are probabilities. seconds: a map took, on average. estimator: the network that
    estimated the maps, None where they are exact. check: how near estimates come to the exact maps, where that was
    asked. skipped: how many maps were there already. made, identities, map_notes: what later calls know them by: of the
    classifier and the settings, of each image; and what was said of the maps.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    maps: list[np.ndarray] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    overlays: list[str] = field(default_factory=list)
    scored_in_percent: bool = True
    seconds: float = math.nan
    estimator: str | None = None
    check: Check | None = None
    skipped: int = 0
    made: str = ""
    identities: list[str] = field(default_factory=list)
    map_notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def says(self) -> list[str]:
        """Say what is to be known of the estimating and its check, a line each; nothing of exact maps."""
        if self.estimator is None:
            return []
        time = "" if math.isnan(self.seconds) else f": {milliseconds(self.seconds)} per map"
        lines = [f"estimated in one pass by {self.estimator}, not exact{time}"]
        if self.check:
            lines += [*sentences(self.check, self.seconds), *([text] if (text := warning(self.check)) else [])]
        return lines


def shown_of(array: np.ndarray, found: Explained, place: int, scale: Scale) -> Shown:
    """Gather what pictures of an image need; array: ``(H, W, C)`` as it was read."""
    score, values = found.scores[place], found.maps[place]
    told = f"{score:.1%}" if found.scored_in_percent else f"{score:.3g}"
    ends = f"±{scale.limits(values)[1]:.2g}" if scale.diverging else f"{values.min():.2g} to {values.max():.2g}"
    title = f"{found.classes[place]} {told}"
    return Shown(found.names[place], as_pixels(array), values, title=title, below=ends)


def as_pixels(array: np.ndarray) -> np.ndarray:
    """Convert an image ``(H, W, C)`` of any type to floats in [0, 1]."""
    return to_tensor(array[None])[0].permute(1, 2, 0).numpy()


LONGEST_NAME = 200
"""Bytes of a picture's name, at most, without what is added to it: file systems take 255."""


def draw_overlay(begun: BegunFiles, shown: Shown, scale: Scale) -> str:
    """Write one picture, named as the image without its ending, "-" for "/", and return its name.

    Long names are cut; names that are taken get a number.
    """
    folder = make_folder(begun.folder / "overlays")
    plain = "".join(letter if letter.isalnum() or letter in " ._#-" else "-" for letter in shown.name).strip(". ")
    ending = Path(plain).suffix
    stem, number = (plain.removesuffix(ending) if ending.lower() in SUFFIXES else plain) or "image", 1
    stem = stem.encode()[:LONGEST_NAME].decode(errors="ignore")
    while (path := folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")).exists():
        number += 1
    begun.begin(path)
    write_bytes(path, overlay_picture(shown, scale, LIGHT))
    return path.name


def save(
    found: Explained,
    begun: BegunFiles,
    *,
    classifier: str,
    sheet: Sequence[Shown],
    compared: Sequence[Compared],
    scale: Scale,
    settings: dict[str, Any],
) -> None:
    """Write the arrays, the record, and explain.png and explain.html.

    classifier: its name. sheet: what the page shows. compared: the worst checked images. settings: as recorded.
    """
    folder, facts = found.folder, environment()
    one_size = len({values.shape for values in found.maps}) == 1
    maps = {"maps": np.stack(found.maps)} if one_size else {f"map_{k}": values for k, values in enumerate(found.maps)}
    arrays: dict[str, Any] = {
        **maps, "names": np.array(found.names), "classes": np.array(found.numbers),
        "class_names": np.array(found.classes), "scores": np.array(found.scores),
        "settings": np.array(json.dumps(settings)), "methods": np.array(found.methods),
        "images": np.array(found.identities), "made": np.array(found.made), "notes": np.array(found.map_notes, str),
    }  # fmt: skip
    for name in (MAPS_FILE, "explain.json"):
        begun.begin(folder / name)
    with replacing(folder / MAPS_FILE) as temporary:
        np.savez_compressed(temporary, **arrays)
    write_json(folder / "explain.json", as_json(found) | {"settings": settings, "environment": facts})
    begun.keep()
    images = f"{len(found.names):,} image{'s' if len(found.names) != 1 else ''}"
    time = "" if math.isnan(found.seconds) else f" · {milliseconds(found.seconds)} per map"
    kind = "exact" if found.estimator is None else "estimated"
    write_page(
        folder / "explain.html",
        title="What the classifier looks at",
        subtitle=f"{classifier} · {images} · {settings['definition']} · {kind}{time}",
        verdict=verdict(found),
        sections=[
            maps_section(found, sheet, scale),
            *check_section(found, compared),
            images_section(found),
            Section("Settings", parts=[Table(["setting", "value"], [[k, str(v)] for k, v in settings.items()])]),
        ],
        environment=facts,
    )
    found.written[:] = [one for one in FILES if (folder / one).exists()]


def maps_section(found: Explained, sheet: Sequence[Shown], scale: Scale) -> Section:
    """Draw images beside their maps, and say how colours are read and what else to know."""
    themes = save_both(found.folder, "explain", lambda theme: contact_sheet(sheet, scale, theme))
    reading = (
        "Red: hiding this place lowers the score, so it speaks for the class. Blue: hiding it raises the score, so it "
        "speaks against it. Where nothing is laid over the image the place does not matter."
        if scale.diverging
        else "Dark blue is the lowest value of a map: with this place hidden the score is low, so the class depends on "
        "it. Yellow is the highest."
    )
    ends = "Below: the ends of the colour scale, which is each map's own."
    legend = f"Left: the image; right: the map over it in grey. {reading} {ends}"
    some = [f"{len(sheet)} of {len(found.names)} images are shown."] if len(sheet) < len(found.names) else []
    notes = [*some, *found.notes, *(f"left out: {problem}" for _, problem in found.failed)]
    return Section("Maps", notes, [Picture(themes, "Images beside their occlusion maps", legend)])


def check_section(found: Explained, compared: Sequence[Compared]) -> list[Section]:
    """Tabulate a check and draw its worst images; nothing without one."""
    if found.check is None:
        return []
    check, note = found.check, f"{capital(sentences(found.check, found.seconds)[0])}, drawn at random."
    rows = [[MEASURES[name], said(check, name)] for name in MEASURES]
    rows += [["time of an exact map", milliseconds(check.seconds_exact)]]
    rows += [["time of an estimated map", milliseconds(found.seconds)]]
    parts: list[Table | Picture] = [Table(["measure", "mean, and worst image"], rows, note)]
    if compared:
        themes = {theme.name: comparison(compared, theme) for theme in THEMES}
        many = f"The {len(compared)} checked images" if len(compared) > 1 else "The checked image"
        note = f"{many} with the lowest Pearson correlation{', worst first' if len(compared) > 1 else ''}."
        parts.append(Picture(themes, "Image, exact map, estimated map and their difference", note))
    return [Section("Estimated and exact", parts=parts)]


def images_section(found: Explained) -> Section:
    rows = [
        [name, class_, f"{score:.4g}", f"{values.min():.4g}", f"{values.max():.4g}"]
        for name, class_, score, values in zip(found.names, found.classes, found.scores, found.maps, strict=True)
    ]
    table = Table(["image", "class", "score without a box>", "map, lowest>", "highest>"], rows)
    return Section("Images", parts=[table], folded=len(rows) > SHEET)


def verdict(found: Explained) -> str:
    """Say first that maps are estimated, and how near they come; nothing of exact ones."""
    if found.estimator is None:
        return ""
    text = f"{capital(found.says()[0])}."
    if found.check is None:
        return text + worded(
            " How close it comes was not checked: --check=0.01 explains one image in a hundred exactly too."
        )
    if warned := warning(found.check):
        return f"{text} {capital(warned)}"
    many = len(found.check.names)
    return (
        f"{text} Checked on {many:,} image{'s' if many != 1 else ''}: a mean Pearson correlation of "
        f"{found.check.pearson.mean:.3g} with the exact maps."
    )


def capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def as_json(found: Explained) -> dict[str, Any]:
    """Give the result without its maps, as plain values."""
    images = [
        {"name": name, "class": class_, "number": number, "score": score, "lowest": float(values.min()),
         "highest": float(values.max()), "method": method}
        for name, class_, number, score, values, method in zip(
            found.names, found.classes, found.numbers, found.scores, found.maps, found.methods, strict=True
        )
    ]  # fmt: skip
    failed = [{"image": name, "problem": problem} for name, problem in found.failed]
    record = {"folder": str(found.folder), "images": images, "failed": failed, "notes": found.notes}
    record |= {"overlays": found.overlays, "seconds_per_map": number_or_none(found.seconds), "skipped": found.skipped}
    if found.estimator is not None:
        record |= {"estimator": found.estimator, "exact": False}
    return record | ({"check": check_json(found.check)} if found.check else {})


def check_json(check: Check) -> dict[str, Any]:
    """Give a check as plain values; None where there is no number."""
    told: dict[str, Any] = {
        "images": len(check.names), "of": check.of, "seed": check.seed, "constant": check.constant,
        "seconds_per_exact_map": check.seconds_exact, "trusted": check.trusted, "warning": warning(check),
    }  # fmt: skip
    for name in MEASURES:
        found, worst = getattr(check, name), check.order(name)[0]
        told[name] = {key: number_or_none(getattr(found, key)) for key in ("mean", "low", "high")}
        told[name]["worst"] = {"name": check.names[worst], "value": number_or_none(found.values[worst])}
    told["each"] = [
        {"name": image, **{name: number_or_none(getattr(check, name).values[row]) for name in MEASURES}}
        for row, image in enumerate(check.names)
    ]
    return told


def number_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
