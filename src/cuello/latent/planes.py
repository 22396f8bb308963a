"""The code as a whole: the images at their codes, a plane of codes decoded, samples."""

import numpy as np

from cuello import latent
from cuello.latent.map_picture import MOST_IMAGES, Map, draw_map
from cuello.latent.sheets import Sheet, Tile, image_plane, in_rows
from cuello.latent.view import METHODS, CodePart, LatentView, NotApplicable, sheet_part

MOST_LEVELS = 30
LONGEST_TITLE = 75
"""Letters of a picture's title on one line."""
COMPONENTS = "first principal component", "second principal component"
PRIORS = {"normal": "the prior, a normal distribution", "uniform": "the prior, in which all codes are equally likely"}


def coordinates(view: LatentView) -> tuple[np.ndarray, str, str, str]:
    """Place the images on a plane: points ``(N, 2)``, how they came about, and the names of the axes."""
    known, rows, found = view.known, view.rows, view.projection
    if view.numbers == 1:
        up = known.labels if known.labels is not None else np.zeros(len(rows))
        return np.column_stack([rows[:, 0], up]), view.mapped, "z₁", "label" if known.classes else ""
    if found is None:
        raise NotApplicable(f"{len(rows)} images are too few to reduce {view.numbers} numbers to two")
    if found.method is None:
        return found.points, view.mapped, "z₁", "z₂"
    if found.method == "pca":
        return found.points, view.mapped, *COMPONENTS
    return found.points, view.mapped, f"{METHODS[found.method]} 1", f"{METHODS[found.method]} 2"


def map_part(view: LatentView) -> CodePart:
    known, thumbnails = view.known, view.settings.thumbnails
    if thumbnails is None:
        thumbnails = known.labels is None or len(known) <= MOST_IMAGES
    points, said, across, up = coordinates(view)
    what = f"{len(known):,} {known.what}"
    title = f"{what[0].upper()}{what[1:]}: {said}"
    title = title if len(title) <= LONGEST_TITLE else title.replace(": ", ":\n", 1)
    levels = known.classes[:MOST_LEVELS] if view.numbers == 1 else None
    shown = Map(
        points, known.images, known.labels, classes=known.classes, title=title,
        across=across, up=up, thumbnails=thumbnails, levels=levels,
    )  # fmt: skip
    drawn = "Every image stands at its code, moved aside where another is in its way; a line then leads to its code."
    if thumbnails and len(known) > MOST_IMAGES:
        drawn = "A point is an image's code; images are drawn where there is room for them."
    if not thumbnails:
        drawn = "A point is an image's code, its colour the label."
    caution = ""
    if view.settings.method in ("tsne", "umap"):
        caution = " Neighbours stay together; distances, and the sizes of groups and gaps, mean little."
    text = f"Where the network puts images: {said}. {drawn}{caution}"
    return CodePart("map", "Map", text, draw=lambda theme: draw_map(shown, theme), arrays={"points": points})


def grid_part(view: LatentView) -> CodePart:
    model = view.model
    side = 15 if max(view.known.x.shape[2:]) <= 48 else 9
    if model.prior == "normal" and view.numbers <= 2:
        found = latent.grid(model, side)
    elif len(view.codes) < 2 + (view.numbers > 2):
        raise NotApplicable(f"{len(view.codes)} images are too few to span a plane")
    else:
        found = latent.grid(model, side, view.codes)
    title, text = {
        "quantiles": (
            "The prior's quantiles, decoded",
            "Between two neighbours lies the same share of the normal prior in each direction: the square is all that "
            "the network can draw, every part of it equally likely (Kingma and Welling 2014, appendix D).",
        ),
        "plane": (
            "The plane of the codes, decoded",
            "Evenly spaced over the rectangle that holds all known codes. Where no code is near, the decoder never "
            "learned what to draw.",
        ),
        "components": (
            "The plane of the first two principal components, decoded",
            "Evenly spaced over the rectangle that holds all known codes, on the plane through their mean along which "
            "they vary most. In all other directions the codes stay at the mean.",
        ),
    }[found.kind]  # fmt: skip
    axes = COMPONENTS if found.kind == "components" else ("z₁", "z₂" if len(found.y) > 1 else "")
    arrays = {"grid_images": found.images, "grid_codes": found.codes, "grid_x": found.x, "grid_y": found.y}
    return CodePart(
        "grid", "Grid", text, draw=lambda theme: image_plane(found, title, axes, theme=theme), arrays=arrays
    )


def samples_part(view: LatentView) -> CodePart:
    model, settings = view.model, view.settings
    if model.prior is not None:
        found = latent.sample(model, settings.samples, settings.seed)
        source = PRIORS.get(model.prior, f"the prior ({model.prior})")
        more = ""
    elif len(view.codes) < 2:
        raise NotApplicable("the network has no prior, and one image is too few to fit a distribution to")
    else:
        found = latent.sample(model, settings.samples, settings.seed, codes=view.codes)
        source = f"a normal distribution fitted to {len(view.codes):,} codes"
        more = (
            " The network has no prior of its own: nothing in its training asked that codes between the known ones "
            "mean anything."
        )
    rows = in_rows([Tile(image) for image in found.images], columns_for(len(found.images)))
    sheet = Sheet(f"{len(found.images)} samples from {source}", [], rows)
    text = f"Codes drawn at random from {source}, decoded; seed {settings.seed}.{more}"
    arrays = {"sample_images": found.images, "sample_codes": found.codes}
    return sheet_part("samples", "Samples", text, sheets=[sheet], arrays=arrays)


def columns_for(count: int) -> int:
    """Choose how many images to draw side by side: so many that all rows are full, where 6 to 12 can do it, else 10.

    >>> columns_for(64), columns_for(100), columns_for(7), columns_for(3)
    (8, 10, 7, 3)
    """
    if count <= 10:
        return count
    return next((columns for columns in (10, 9, 8, 12, 7, 6, 11) if count % columns == 0), 10)
