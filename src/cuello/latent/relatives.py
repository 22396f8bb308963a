"""Images beside known ones: whose codes are nearest, and what lies between two and is new."""

import numpy as np

from cuello import latent
from cuello.core.spread import spread_evenly
from cuello.latent.images import Known
from cuello.latent.sheets import Sheet, Tile, TileRow, in_rows, number
from cuello.latent.view import CodePart, LatentView, NotApplicable, sheet_part

QUERIES, NEAREST = 8, 8
"""Images whose neighbours are shown, and how many of these."""
INVENTED, PARENTS = 12, 64
"""Inventions, and images that they are looked for between."""


def neighbours_part(view: LatentView) -> CodePart:
    known, codes = view.known, view.codes
    count = len(known)
    if count < 3:
        raise NotApplicable(f"{count} images are too few to have neighbours")
    k = min(NEAREST, count - 1)
    positions, distances = without_self(latent.nearest(codes, codes, min(k + 2, count)), k)
    images = known.images
    labels = known.labels
    several = labels is not None and len(known.classes) < count
    rows = []
    for query in queries(known):
        tiles = [Tile(images[query], view.called(query))]
        for other, apart in zip(positions[query].tolist(), distances[query].tolist(), strict=True):
            caption = number(apart, distances[query]) + (f" · {view.called(other)}" if labels is not None else "")
            framed = several and labels is not None and labels[other] != labels[query]
            tiles.append(Tile(images[other], caption, ours=bool(framed)))
        rows.append(TileRow("", tiles))
    title = "Images and those whose codes are nearest" + ("; framed: of another label" if several else "")
    text = (
        "At the left an image, then those with the nearest codes, nearest first, with the distance between the codes."
    )
    if several and labels is not None:
        same = float((labels[positions[:, 0]] == labels).mean())
        text += f" The nearest other image has the same label in {same:.1%} of {count:,} cases."
    sheet = Sheet(title, ["image", *map(str, range(1, k + 1))], rows, breaks={1: 0.15}, most=0.84)
    arrays = {"neighbours": positions, "neighbour_distances": distances}
    return sheet_part("neighbours", "Neighbours", text, sheets=[sheet], arrays=arrays)


def without_self(found: latent.Neighbours, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find positions and distances of the ``k`` nearest other images of every image, ``(N, k)`` each."""
    others = found.positions != np.arange(len(found.positions))[:, None]
    order = np.argsort(~others, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found.positions, order, 1), np.take_along_axis(found.distances, order, 1)


def queries(known: Known) -> list[int]:
    """Choose images to show the neighbours of: of different labels, or spread evenly."""
    if known.labels is None or len(known.classes) < 2:
        return spread_evenly(len(known), QUERIES).tolist()
    return [int(np.flatnonzero(known.labels == k)[0]) for k in spread_evenly(len(known.classes), QUERIES)]


def invented_part(view: LatentView) -> CodePart:
    known = view.known
    if len(known) < 2:
        raise NotApplicable("there is only one image")
    threshold = 0.5 if known.binary else None
    parents = spread_evenly(len(known), PARENTS).tolist()
    found = latent.invent(view.model, known.x, INVENTED, seed=view.settings.seed, threshold=threshold, parents=parents)
    if not found.tried:
        raise NotApplicable("all images have the same code, and nothing lies between")
    if not len(found):
        raise NotApplicable(
            f"none of {found.tried:,} points between close codes is new: each is as near to a known image as that "
            "image's own reconstruction"
        )
    images = known.images
    unit = "pixels" if known.x.shape[1] == 1 else "values"
    tiles = []
    for image, (a, b), like, apart in zip(found.images, found.parents, found.nearest, found.distances, strict=True):
        said = f"{apart:.0f} {unit if apart != 1 else unit[:-1]} off" if known.binary else f"{apart:.2f} off"
        tiles += [
            Tile(images[a], view.called(a)), Tile(image, said, ours=True), Tile(images[b], view.called(b)),
            Tile(images[like], view.called(like)),
        ]  # fmt: skip
    headings = ["between", "new", "and", "nearest known"] * min(2, len(found))
    breaks = {3: 0.08, 4: 0.4, 7: 0.08} if len(found) > 1 else {3: 0.08}
    title = "New images: decoded between two known ones, and like none"
    sheet = Sheet(title, headings, in_rows(tiles, 8), breaks=breaks, most=0.93)
    among = f"{len(parents)} of the images, spread evenly" if len(parents) < len(known) else "all images"
    measure = f"{unit} that differ" if known.binary else "root mean square, white is 1"
    text = (
        f"Points between close codes of {among}, decoded{' and thresholded at 0.5' if known.binary else ''}; below "
        f"each its distance from the nearest of all {len(known):,} known images ({measure}). Only what is further from "
        "that image than the network's own reconstruction of it is shown, without repetitions."
    )
    arrays = {
        "invented_images": found.images, "invented_codes": found.codes, "invented_parents": found.parents,
        "invented_nearest": found.nearest, "invented_distances": found.distances,
    }  # fmt: skip
    return sheet_part("invented", "Inventions", text, sheets=[sheet], arrays=arrays)
