"""Ways through a code: from image to image, along its numbers, from label to label."""

import numpy as np

from cuello import latent
from cuello.latent.images import find_image, typical
from cuello.latent.maps import main_axes
from cuello.latent.sheets import Row, Sheet, Tile, number, sheets
from cuello.latent.subject import Missing, Part, Subject, label_pairs, typical_of
from cuello.report.figures import shorten

VALUES = 9
AMOUNTS = np.linspace(-0.5, 1.5, VALUES)
MOST_NUMBERS = 10
FEWEST = 5
"""Images that a label needs for its mean to say something."""

Changed = list[tuple[latent.Decoded, np.ndarray]]
"""Images with one thing changed, and its values."""


def ends(subject: Subject) -> list[tuple[int, int]]:
    """Return pairs of positions to interpolate between: those named, or typical images of different labels."""
    known, wanted = subject.known, subject.wanted
    if wanted.start is not None and wanted.end is not None:
        return [(find_image(known, wanted.start, subject.codes), find_image(known, wanted.end, subject.codes))]
    if len(known.classes) > 1:
        return [(typical_of(subject, a), typical_of(subject, b)) for a, b in label_pairs(len(known.classes))]
    if len(known) < 2:
        raise Missing("there is only one image")
    return label_pairs(len(known))


def interpolation_part(subject: Subject) -> Part:
    """Decode the ways between pairs of images."""
    known, steps, path = subject.known, subject.wanted.steps, subject.wanted.path
    pairs = ends(subject)
    images = known.images
    found, rows = [], []
    for a, b in pairs:
        way = latent.interpolate(subject.model, subject.codes[a], subject.codes[b], steps, path)
        found.append(way)
        tiles = [Tile(images[a]), *(Tile(image) for image in way.images), Tile(images[b])]
        rows.append(Row(f"{subject.called(a)} → {subject.called(b)}", tiles))
    shares = [f"{share:.3g}" for share in np.linspace(0, 1, steps)]
    kind = "straight" if path == "straight" else "spherical"
    sheet = Sheet(
        f"From one image to another: {kind} paths between their codes, decoded", ["image", *shares, "image"], rows,
        {1: 0.15, steps + 1: 0.15},
    )  # fmt: skip
    which = "Typical images of different labels: " if len(known.classes) > 1 and subject.wanted.start is None else ""
    text = (
        f"{which}the images themselves at both ends, and between them {steps} codes on a {kind} path from the code of "
        "one to that of the other, decoded."
    )
    arrays = {
        "interpolation_images": np.stack([way.images for way in found]),
        "interpolation_codes": np.stack([way.codes for way in found]),
        "interpolation_ends": np.array(pairs),
    }
    return Part("interpolation", "Interpolation", text[0].upper() + text[1:], lambda t: sheets([sheet], t), arrays)


def traversal_part(subject: Subject) -> Part:
    """Change one number at a time, and go from one label's mean towards another's."""
    codes = subject.codes
    if len(codes) < 3:
        raise Missing(f"{len(codes)} images are too few to tell how far the numbers of a code vary")
    start = codes[typical(codes, np.ones(len(codes), bool))]
    names, changed = (numbers_changed if subject.numbers <= MOST_NUMBERS else components_changed)(subject, start)
    rows = [
        Row(
            name, [Tile(image, number(value, values)) for image, value in zip(one.images, values.tolist(), strict=True)]
        )
        for name, (one, values) in zip(names, changed, strict=True)
    ]
    what = "number of the code" if subject.numbers <= MOST_NUMBERS else "principal component of the codes"
    parts = [Sheet(f"One {what} changed, all others kept", ["lowest 2.5%", *[""] * (VALUES - 2), "highest 2.5%"], rows)]
    arrays = {
        "traversal_images": np.stack([one.images for one, _ in changed]),
        "traversal_codes": np.stack([one.codes for one, _ in changed]),
        "traversal_values": np.stack([values for _, values in changed]),
    }
    text = (
        f"The most typical image's code with one {what} changed, from the 2.5% quantile of the known codes to the "
        "97.5% quantile. Where a row does not change, the decoder does not use that number."
    )
    attributes = attribute_rows(subject)
    if attributes:
        amounts = [number(amount, AMOUNTS) for amount in AMOUNTS.tolist()]
        rows = [Row(name, [Tile(image) for image in one.images]) for name, one in attributes]
        parts.append(Sheet("From one label's mean code towards another's, so many times the way", amounts, rows))
        arrays["attribute_images"] = np.stack([one.images for _, one in attributes])
        arrays["attribute_codes"] = np.stack([one.codes for _, one in attributes])
        text += (
            " Below: a typical image of one label, moved along the way between two labels' mean codes; 0 is the image "
            "itself, 1 the whole way."
        )
    return Part("traversal", "Traversal", text, lambda theme: sheets(parts, theme), arrays)


def numbers_changed(subject: Subject, start: np.ndarray) -> tuple[list[str], Changed]:
    """Return the names of the code's numbers, and images with each changed, and its values."""
    rows = subject.codes.reshape(len(subject.codes), -1)
    found = []
    for axis in range(subject.numbers):
        values = evenly(rows[:, axis])
        found.append((latent.traverse(subject.model, start, axis, values.tolist()), values))
    return [f"z{subscript(axis + 1)}" for axis in range(subject.numbers)], found


def components_changed(subject: Subject, start: np.ndarray) -> tuple[list[str], Changed]:
    """Return the names of the first principal components, and images with each changed, and its values."""
    rows = subject.codes.reshape(len(subject.codes), -1).astype(np.float64)
    count = min(8, len(rows) - 1)
    mean, axes = main_axes(rows, count)
    places = (rows - mean) @ axes.T
    here = (start.ravel() - mean) @ axes.T
    found = []
    for axis in range(count):
        values = evenly(places[:, axis])
        way = axes[axis].reshape(start.shape).astype(np.float32)
        found.append((latent.traverse(subject.model, start, way, (values - here[axis]).tolist()), values))
    return [f"component {axis + 1}" for axis in range(count)], found


def evenly(places: np.ndarray) -> np.ndarray:
    """Return VALUES numbers from the 2.5% quantile of the given ones to the 97.5% quantile."""
    return np.linspace(float(np.quantile(places, 0.025)), float(np.quantile(places, 0.975)), VALUES)


def subscript(number: int) -> str:
    """Return a whole number in small digits below the line.

    >>> subscript(12)
    '₁₂'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def attribute_rows(subject: Subject) -> list[tuple[str, latent.Decoded]]:
    """Return images moved from label to label, for pairs of labels that have images enough; maybe none."""
    known = subject.known
    if known.labels is None:
        return []
    enough = np.flatnonzero(np.bincount(known.labels, minlength=len(known.classes)) >= FEWEST)
    rows = []
    for a, b in label_pairs(len(enough)):
        one, other = int(enough[a]), int(enough[b])
        way = latent.direction(subject.codes, known.labels, one, other)
        found = latent.traverse(subject.model, subject.codes[typical_of(subject, one)], way, AMOUNTS.tolist())
        rows.append((f"{shorten(known.classes[one], 14)} → {shorten(known.classes[other], 14)}", found))
    return rows
