"""What `cuello explain` writes: arrays, overlays, a record, and the page."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.files import make_folder, replacing, write_bytes
from cuello.data.batches import to_tensor
from cuello.data.picture import SUFFIXES
from cuello.jobs.explain.check import MEASURES, Check, milliseconds, said, sentences, warning
from cuello.jobs.explain.figures import Compared, Scale, Shown, overlay_picture
from cuello.jobs.explain.folder import FILES, Unfinished
from cuello.jobs.explain.sheet import write_explanation
from cuello.report.figures import LIGHT
from cuello.report.page import Table
from cuello.runs.directory import environment, write_json

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
    asked.
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

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add(self, name: str, values: np.ndarray, class_: str, number: int, score: float, method: str) -> None:
        """Add an image's map."""
        self.names.append(name)
        self.maps.append(values)
        self.classes.append(class_)
        self.numbers.append(number)
        self.scores.append(score)
        self.methods.append(method)

    def says(self) -> list[str]:
        """Return what is to be said of the estimating and its check, a line each; nothing of exact maps."""
        if self.estimator is None:
            return []
        time = "" if math.isnan(self.seconds) else f": {milliseconds(self.seconds)} a map"
        lines = [f"estimated in one pass by {self.estimator}, not exact{time}"]
        if self.check:
            lines += [*sentences(self.check, self.seconds), *([text] if (text := warning(self.check)) else [])]
        return lines


def shown_of(array: np.ndarray, found: Explained, place: int, scale: Scale) -> Shown:
    """Return what pictures of an image need; array: ``(H, W, C)`` as it was read."""
    score, values = found.scores[place], found.maps[place]
    told = f"{score:.1%}" if found.scored_in_percent else f"{score:.3g}"
    reached = f"{values.min():.2g} to {values.max():.2g}"
    ends = f"±{scale.limits(values)[1]:.2g}" if scale.diverging else reached
    return Shown(found.names[place], as_pixels(array), values, f"{found.classes[place]} {told}", ends)


def as_pixels(array: np.ndarray) -> np.ndarray:
    """Return an image ``(H, W, C)`` of any type as floats in [0, 1]."""
    return to_tensor(array[None])[0].permute(1, 2, 0).numpy()


def draw_overlay(begun: Unfinished, shown: Shown, scale: Scale) -> str:
    """Write one picture, named as the image without its ending, "-" for "/", and return its name.

    Names that are taken get a number.
    """
    folder = make_folder(begun.folder / "overlays")
    plain = "".join(letter if letter.isalnum() or letter in " ._#-" else "-" for letter in shown.name).strip(". ")
    ending = Path(plain).suffix
    stem, number = (plain.removesuffix(ending) if ending.lower() in SUFFIXES else plain) or "image", 1
    while (path := folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")).exists():
        number += 1
    begun.begin(path)
    write_bytes(path, overlay_picture(shown, scale, LIGHT))
    return path.name


def save(
    name: str,
    sheet: Sequence[Shown],
    scale: Scale,
    compared: Sequence[Compared],
    settings: dict[str, Any],
    found: Explained,
    begun: Unfinished,
) -> None:
    """Write the arrays, the record and the page. name: the classifier's. compared: the worst checked images."""
    folder, told = found.folder, environment()
    one_size = len({values.shape for values in found.maps}) == 1
    maps = {"maps": np.stack(found.maps)} if one_size else {f"map_{k}": values for k, values in enumerate(found.maps)}
    arrays = {
        "names": np.array(found.names), "classes": np.array(found.numbers), "class_names": np.array(found.classes),
        "scores": np.array(found.scores), "settings": np.array(json.dumps(settings)),
    }  # fmt: skip
    every: dict[str, Any] = {**maps, **arrays}
    for written in ("maps.npz", "explain.json"):
        begun.begin(folder / written)
    with replacing(folder / "maps.npz") as temporary:
        np.savez_compressed(temporary, **every)
    write_json(folder / "explain.json", as_json(found) | {"settings": settings, "environment": told})
    begun.keep()
    rows = [
        [name, class_, f"{score:.4g}", f"{values.min():.4g}", f"{values.max():.4g}"]
        for name, class_, score, values in zip(found.names, found.classes, found.scores, found.maps, strict=True)
    ]
    left_out = [f"left out: {problem}" for _, problem in found.failed]
    notes = [f"{len(sheet)} of {len(rows)} images are shown."] if len(sheet) < len(rows) else []
    images = f"{len(rows):,} image{'s' if len(rows) != 1 else ''}"
    time = "" if math.isnan(found.seconds) else f" · {milliseconds(found.seconds)} a map"
    kind = "exact" if found.estimator is None else "estimated"
    write_explanation(
        folder, "What the classifier looks at", f"{name} · {images} · {settings['definition']} · {kind}{time}",
        verdict(found), sheet, scale, compared, check_table(found), rows, [*notes, *found.notes, *left_out], settings,
        told,
    )  # fmt: skip
    found.written[:] = [one for one in FILES if (folder / one).exists()]


def verdict(found: Explained) -> str:
    """Return the page's first sentences: that maps are estimated, and how near they come; nothing of exact ones."""
    if found.estimator is None:
        return ""
    says = found.says()[0]
    text = f"{says[0].upper()}{says[1:]}."
    if found.check is None:
        return f"{text} How near it comes was not checked: --check 0.01 explains one image in a hundred exactly too."
    if warned := warning(found.check):
        return f"{text} {warned[0].upper()}{warned[1:]}"
    many = len(found.check.names)
    return (
        f"{text} Checked on {many:,} image{'s' if many != 1 else ''}: a mean Pearson correlation of "
        f"{found.check.pearson.mean:.3g} with the exact maps."
    )


def check_table(found: Explained) -> Table | None:
    """Return the numbers of a check."""
    if found.check is None:
        return None
    check = found.check
    first, *_ = sentences(check, found.seconds)
    rows = [[MEASURES[name], said(check, name)] for name in MEASURES]
    rows += [["time of an exact map", milliseconds(check.seconds_exact)]]
    rows += [["time of an estimated map", milliseconds(found.seconds)]]
    return Table(["measure", "mean, and worst image"], rows, f"{first[0].upper()}{first[1:]}, drawn at random.")


def as_json(found: Explained) -> dict[str, Any]:
    """Return the result without its maps, as plain values."""
    images = [
        {"name": name, "class": class_, "number": number, "score": score, "lowest": float(values.min()),
         "highest": float(values.max()), "method": method}
        for name, class_, number, score, values, method in zip(
            found.names, found.classes, found.numbers, found.scores, found.maps, found.methods, strict=True
        )
    ]  # fmt: skip
    failed = [{"image": name, "problem": problem} for name, problem in found.failed]
    record = {"folder": str(found.folder), "images": images, "failed": failed, "notes": found.notes}
    record |= {"overlays": found.overlays, "seconds_per_map": number_or_none(found.seconds)}
    if found.estimator is not None:
        record |= {"estimator": found.estimator, "exact": False}
    return record | ({"check": check_json(found.check)} if found.check else {})


def check_json(check: Check) -> dict[str, Any]:
    """Return a check as plain values; None where there is no number."""
    told: dict[str, Any] = {
        "images": len(check.names), "of": check.of, "seed": check.seed, "constant": check.constant,
        "seconds_per_exact_map": check.seconds_exact, "trusted": check.trusted, "warning": warning(check),
    }  # fmt: skip
    for name in MEASURES:
        found = getattr(check, name)
        worst = check.order(name)[0]
        told[name] = {
            "mean": number_or_none(found.mean), "low": number_or_none(found.low), "high": number_or_none(found.high),
            "worst": {"name": check.names[worst], "value": number_or_none(found.values[worst])},
        }  # fmt: skip
    told["each"] = [
        {"name": name, "mse": float(mse), "pearson": number_or_none(r), "spearman": number_or_none(rho)}
        for name, mse, r, rho in zip(
            check.names, check.mse.values, check.pearson.values, check.spearman.values, strict=True
        )
    ]
    return told


def number_or_none(value: float) -> float | None:
    """Return a number for JSON, which knows no NaN."""
    return float(value) if math.isfinite(value) else None
