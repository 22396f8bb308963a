"""Images beside known ones: whose codes are nearest, and what lies between two and is new."""

import numpy as np

from cuello import latent
from cuello.latent.images import Known
from cuello.latent.sheets import Row, Sheet, Tile, number, sheets
from cuello.latent.subject import Missing, Part, Subject

QUERIES, NEAREST = 8, 8
"""Images whose neighbours are shown, and how many of these."""
INVENTED, PARENTS = 12, 64
"""Inventions, and images that they are looked for between."""


def neighbours_part(subject: Subject) -> Part:
    """Show the images whose codes are nearest to some images' codes."""
    known, codes = subject.known, subject.codes
    count = len(known)
    if count < 3:
        raise Missing(f"{count} images are too few to have neighbours")
    k = min(NEAREST, count - 1)
    positions, distances = without_self(latent.nearest(codes, codes, min(k + 2, count)), k)
    images = known.images
    rows = []
    for query in queries(known):
        tiles = [Tile(images[query], subject.called(query))]
        for other, apart in zip(positions[query].tolist(), distances[query].tolist(), strict=True):
            differs = known.labels is not None and known.labels[other] != known.labels[query]
            caption = number(apart, distances[query]) + (
                f" · {subject.called(other)}" if known.labels is not None else ""
            )
            tiles.append(Tile(images[other], caption, ours=differs))
        rows.append(Row("", tiles))
    several = known.labels is not None and len(known.classes) < count
    title = "Images and those whose codes are nearest" + ("; framed: of another label" if several else "")
    if known.labels is not None and not several:
        rows = [Row(row.label, [Tile(tile.image, tile.caption) for tile in row.tiles]) for row in rows]
    text = (
        "At the left an image, then those with the nearest codes, nearest first, with the distance between the codes."
    )
    if several and known.labels is not None:
        same = float((known.labels[positions[:, 0]] == known.labels).mean())
        text += f" The nearest other image has the same label in {same:.1%} of {count:,} cases."
    sheet = Sheet(title, ["image", *map(str, range(1, k + 1))], rows, {1: 0.15}, most=0.84)
    arrays = {"neighbours": positions, "neighbour_distances": distances}
    return Part("neighbours", "Neighbours", text, lambda theme: sheets([sheet], theme), arrays)


def without_self(found: latent.Neighbours, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and distances of the ``k`` nearest other images of every image, ``(N, k)`` each."""
    others = found.positions != np.arange(len(found.positions))[:, None]
    order = np.argsort(~others, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found.positions, order, 1), np.take_along_axis(found.distances, order, 1)


def queries(known: Known) -> list[int]:
    """Return positions of images to show the neighbours of: of different labels, or spread evenly."""
    if known.labels is None or len(known.classes) < 2:
        return np.unique(np.linspace(0, len(known) - 1, min(QUERIES, len(known))).round().astype(int)).tolist()
    labels = np.unique(np.linspace(0, len(known.classes) - 1, min(QUERIES, len(known.classes))).round().astype(int))
    return [int(np.flatnonzero(known.labels == label)[0]) for label in labels]


def invented_part(subject: Subject) -> Part:
    """Look for new images between known ones."""
    known = subject.known
    if len(known) < 2:
        raise Missing("there is only one image")
    threshold = 0.5 if known.binary else None
    parents = np.unique(np.linspace(0, len(known) - 1, min(PARENTS, len(known))).round().astype(int)).tolist()
    found = latent.invent(subject.model, known.x, INVENTED, subject.wanted.seed, threshold, parents)
    if not found.tried:
        raise Missing("all images have the same code, and nothing lies between")
    if not len(found):
        raise Missing(
            f"none of {found.tried:,} points between close codes is news: each is as near to a known image as that "
            "image's own reconstruction"
        )
    images = known.images
    unit = "pixels" if known.x.shape[1] == 1 else "values"
    tiles = []
    for image, (a, b), like, apart in zip(found.images, found.parents, found.nearest, found.distances, strict=True):
        said = f"{apart:.0f} {unit if apart != 1 else unit[:-1]} off" if known.binary else f"{apart:.2f} off"
        tiles += [
            Tile(images[a], subject.called(a)), Tile(image, said, ours=True), Tile(images[b], subject.called(b)),
            Tile(images[like], subject.called(like)),
        ]  # fmt: skip
    rows = [Row("", tiles[n : n + 8]) for n in range(0, len(tiles), 8)]
    columns = ["between", "new", "and", "nearest known"]
    sheet = Sheet(
        "New images: decoded between two known ones, and like none",
        columns * min(2, len(found)), rows, {3: 0.08, 4: 0.4, 7: 0.08} if len(found) > 1 else {3: 0.08}, most=0.93,
    )  # fmt: skip
    among = f"{len(parents)} of the images, spread evenly" if len(parents) < len(known) else "all images"
    measure = f"{unit} that differ" if known.binary else "root mean square, white is 1"
    text = (
        f"Points between close codes of {among}, decoded{' and thresholded at 0.5' if known.binary else ''}; below "
        f"each its distance from the nearest of all {len(known):,} known images ({measure}). Only what is further from "
        "that image than the network's own reconstruction of it is shown, and no repetition."
    )
    arrays = {
        "invented_images": found.images, "invented_codes": found.codes, "invented_parents": found.parents,
        "invented_nearest": found.nearest, "invented_distances": found.distances,
    }  # fmt: skip
    return Part("invented", "Inventions", text, lambda theme: sheets([sheet], theme), arrays)
