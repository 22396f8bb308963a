"""Ways through a code: from image to image, along its numbers, from label to label."""

from collections.abc import Sequence

import numpy as np

from cuello import latent
from cuello.latent.images import find_image, typical
from cuello.latent.maps import main_axes
from cuello.latent.sheets import Sheet, Tile, TileRow, number
from cuello.latent.view import CodePart, LatentView, NotApplicable, label_pairs, sheet_part
from cuello.report.figures import shorten

VALUES = 9
AMOUNTS = np.linspace(-0.5, 1.5, VALUES)
MOST_NUMBERS = 10
FEWEST = 5
"""Images that a label needs for its mean to say something."""

Changed = tuple[list[str], list[latent.Decoded], list[np.ndarray]]
"""Names of what is changed, one at a time; the images; and its values."""


def ends(view: LatentView) -> list[tuple[int, int]]:
    """Choose images to interpolate between: those named, or typical images of different labels."""
    known, settings = view.known, view.settings
    if settings.start is not None and settings.end is not None:
        return [(find_image(known, settings.start, view.codes), find_image(known, settings.end, view.codes))]
    if len(known.classes) > 1:
        return [(view.typical(a), view.typical(b)) for a, b in label_pairs(len(known.classes))]
    if len(known) < 2:
        raise NotApplicable("there is only one image")
    return label_pairs(len(known))


def interpolation_part(view: LatentView) -> CodePart:
    known, settings, codes, images = view.known, view.settings, view.codes, view.known.images
    pairs, steps = ends(view), settings.steps
    paths = [latent.interpolate(view.model, codes[a], codes[b], steps=steps, path=settings.path) for a, b in pairs]
    rows = [
        TileRow(f"{view.called(a)} → {view.called(b)}", [Tile(image) for image in (images[a], *path.images, images[b])])
        for path, (a, b) in zip(paths, pairs, strict=True)
    ]
    headings = ["image", *(f"{share:.3g}" for share in np.linspace(0, 1, steps)), "image"]
    title = f"From one image to another: {settings.path} paths between their codes, decoded"
    sheet = Sheet(title, headings, rows, breaks={1: 0.15, steps + 1: 0.15})
    if len(known.classes) > 1 and settings.start is None:
        text = "Typical images of different labels: the images themselves at both ends, and between them "
    else:
        text = "The images themselves at both ends, and between them "
    text += f"{steps} codes on a {settings.path} path from the code of one to that of the other, decoded."
    arrays = stacked("interpolation", paths) | {"interpolation_ends": np.array(pairs)}
    return sheet_part("interpolation", "Interpolation", text, sheets=[sheet], arrays=arrays)


def stacked(name: str, changed: Sequence[latent.Decoded]) -> dict[str, np.ndarray]:
    return {
        f"{name}_images": np.stack([one.images for one in changed]),
        f"{name}_codes": np.stack([one.codes for one in changed]),
    }


def traversal_part(view: LatentView) -> CodePart:
    """Change one number at a time, and go from one label's mean towards another's."""
    codes, few = view.codes, view.numbers <= MOST_NUMBERS
    if len(codes) < 3:
        raise NotApplicable(f"{len(codes)} images are too few to tell how far the numbers of a code vary")
    start = codes[typical(codes, np.ones(len(codes), bool))]
    names, changed, values = numbers_changed(view, start) if few else components_changed(view, start)
    rows = [
        TileRow(name, [Tile(image, number(value, row)) for image, value in zip(one.images, row.tolist(), strict=True)])
        for name, one, row in zip(names, changed, values, strict=True)
    ]
    what = "number of the code" if few else "principal component of the codes"
    parts = [Sheet(f"One {what} changed, all others kept", ["lowest 2.5%", *[""] * (VALUES - 2), "highest 2.5%"], rows)]
    arrays = stacked("traversal", changed) | {"traversal_values": np.stack(values)}
    text = (
        f"The most typical image's code with one {what} changed, from the 2.5% quantile of the known codes to the "
        "97.5% quantile. Where a row does not change, the decoder does not use that number."
    )
    attributes = attribute_rows(view)
    if attributes:
        amounts = [number(amount, AMOUNTS) for amount in AMOUNTS.tolist()]
        rows = [TileRow(name, [Tile(image) for image in one.images]) for name, one in attributes]
        parts.append(Sheet("From one label's mean code towards another's, by so much of the way", amounts, rows))
        arrays |= stacked("attribute", [one for _, one in attributes])
        text += (
            " Below: a typical image of one label, moved along the way between two labels' mean codes; 0 is the image "
            "itself, 1 the whole way."
        )
    return sheet_part("traversal", "Traversal", text, sheets=parts, arrays=arrays)


def numbers_changed(view: LatentView, start: np.ndarray) -> Changed:
    rows = view.codes.reshape(len(view.codes), -1)
    values = [evenly(rows[:, axis]) for axis in range(view.numbers)]
    changed = [latent.traverse(view.model, start, axis, values=way.tolist()) for axis, way in enumerate(values)]
    return [f"z{subscript(axis + 1)}" for axis in range(view.numbers)], changed, values


def components_changed(view: LatentView, start: np.ndarray) -> Changed:
    rows = view.rows
    count = min(8, len(rows) - 1)
    mean, axes = main_axes(rows, count)
    places, here = (rows - mean) @ axes.T, (start.ravel() - mean) @ axes.T
    values = [evenly(places[:, axis]) for axis in range(count)]
    changed = [
        latent.traverse(
            view.model, start, axes[axis].reshape(start.shape).astype(np.float32),
            values=(values[axis] - here[axis]).tolist(),
        )
        for axis in range(count)
    ]  # fmt: skip
    return [f"component {axis + 1}" for axis in range(count)], changed, values


def evenly(places: np.ndarray) -> np.ndarray:
    """Give VALUES numbers from the 2.5% quantile of the given ones to the 97.5% quantile."""
    return np.linspace(float(np.quantile(places, 0.025)), float(np.quantile(places, 0.975)), VALUES)


def subscript(number: int) -> str:
    """Write a whole number in small digits below the line.

    >>> subscript(12)
    '₁₂'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def attribute_rows(view: LatentView) -> list[tuple[str, latent.Decoded]]:
    """Move images from label to label, for pairs of labels that have images enough; maybe none."""
    known = view.known
    if known.labels is None:
        return []
    enough = np.flatnonzero(np.bincount(known.labels, minlength=len(known.classes)) >= FEWEST)
    rows = []
    for a, b in label_pairs(len(enough)):
        one, other = int(enough[a]), int(enough[b])
        way = latent.direction(view.codes, known.labels, start=one, end=other)
        moved = latent.traverse(view.model, view.codes[view.typical(one)], way, values=AMOUNTS.tolist())
        rows.append((f"{shorten(known.classes[one], 14)} → {shorten(known.classes[other], 14)}", moved))
    return rows
