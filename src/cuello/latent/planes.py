"""The code as a whole: the images at their codes, a plane of codes decoded, samples."""

import numpy as np

from cuello import latent
from cuello.latent.map_picture import MOST_IMAGES, Map, draw_map
from cuello.latent.maps import Method
from cuello.latent.sheets import Row, Sheet, Tile, image_plane, sheets
from cuello.latent.subject import Missing, Part, Subject
from cuello.report.figures import Theme

MOST_LEVELS = 30
METHODS: dict[Method, str] = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def coordinates(subject: Subject) -> tuple[np.ndarray, str, str, str]:
    """Return points ``(N, 2)`` of the map, how they came about, and the names of the axes."""
    known, codes, method = subject.known, subject.codes, subject.wanted.method
    rows = codes.reshape(len(codes), -1).astype(np.float64)
    if subject.numbers == 1:
        up = known.labels if known.labels is not None else np.zeros(len(rows))
        return np.column_stack([rows[:, 0], up]), "the code's one number", "z₁", "label" if known.classes else ""
    if subject.numbers == 2 and method is None:
        return rows, "the code's two numbers", "z₁", "z₂"
    assert method is not None  # see check_named
    if len(rows) < 3:
        raise Missing(f"{len(rows)} images are too few to bring {subject.numbers} numbers to two")
    found = latent.project(codes, method, subject.wanted.seed)
    said = f"{METHODS[method]} of the code's {subject.numbers:,} numbers"
    if found.share is None:
        return found.points, said, f"{METHODS[method]} 1", f"{METHODS[method]} 2"
    said += f", {found.share:.0%} of their variance"
    return found.points, said, "first principal component", "second principal component"


def map_part(subject: Subject) -> Part:
    """Draw the images at their codes."""
    known, thumbnails = subject.known, subject.wanted.thumbnails
    if thumbnails is None:
        thumbnails = known.labels is None or len(known) <= MOST_IMAGES
    points, said, across, up = coordinates(subject)
    what = f"{len(known):,} {known.what}"
    levels = known.classes[:MOST_LEVELS] if subject.numbers == 1 else None
    shown = Map(
        points, known.images, known.labels, known.classes, f"{what[0].upper()}{what[1:]}: {said}", across, up,
        thumbnails, levels,
    )  # fmt: skip
    drawn = "Every image stands at its code, moved aside where another is in its way; a line then leads to its code."
    if thumbnails and len(known) > MOST_IMAGES:
        drawn = "A point is an image's code; images are drawn where there is room for them."
    if not thumbnails:
        drawn = "A point is an image's code, its colour the label."
    caution = ""
    if subject.wanted.method in ("tsne", "umap"):
        caution = " Neighbours stay together; distances, and the sizes of groups and gaps, mean little."
    text = f"Where the network puts images: {said}. {drawn}{caution}"
    return Part("map", "Map", text, lambda theme: draw_map(shown, theme), {"points": points})


def grid_part(subject: Subject) -> Part:
    """Decode a plane of codes."""
    model = subject.model
    side = 15 if max(subject.known.x.shape[2:]) <= 48 else 9
    if model.prior == "normal" and subject.numbers <= 2:
        found = latent.grid(model, side)
    elif len(subject.codes) < 2 + (subject.numbers > 2):
        raise Missing(f"{len(subject.codes)} images are too few to span a plane")
    else:
        found = latent.grid(model, side, subject.codes)
    title, text = {
        "quantiles": (
            "The prior's quantiles, decoded",
            "Between two neighbours lies the same share of the normal prior in each direction: the square is all that "
            "the network can draw, each part of it as often as any other (Kingma and Welling 2014, appendix D).",
        ),
        "plane": (
            "The plane of the codes, decoded",
            "Evenly over the rectangle that holds all known codes. Where no code is near, the decoder never learned "
            "what to draw.",
        ),
        "components": (
            "The plane of the first two principal components, decoded",
            "Evenly over the rectangle that holds all known codes, on the plane through their mean along which they "
            "vary most. In all other directions the codes stay at the mean.",
        ),
    }[found.kind]  # fmt: skip
    across, up = (
        ("z₁", "z₂") if found.kind != "components" else ("first principal component", "second principal component")
    )
    up = up if len(found.y) > 1 else ""
    arrays = {"grid_images": found.images, "grid_codes": found.codes, "grid_x": found.x, "grid_y": found.y}

    def draw(theme: Theme) -> bytes:
        return image_plane(found.images, found.x, found.y, title, across, up, theme)

    return Part("grid", "Grid", text, draw, arrays)


def samples_part(subject: Subject) -> Part:
    """Draw codes at random and decode them."""
    model, wanted = subject.model, subject.wanted
    if model.prior is not None:
        found = latent.sample(model, wanted.samples, wanted.seed)
        origin = {
            "normal": "the prior, a normal distribution",
            "uniform": "the prior, in which all codes are as likely",
        }
        source = origin.get(model.prior, f"the prior ({model.prior})")
        text = f"Codes drawn at random from {source}, decoded; seed {wanted.seed}."
    elif len(subject.codes) < 2:
        raise Missing("the network has no prior, and one image is too few to fit a distribution to")
    else:
        found = latent.sample(model, wanted.samples, wanted.seed, subject.codes)
        source = f"a normal distribution fitted to {len(subject.codes):,} codes"
        text = (
            f"Codes drawn at random from {source}, decoded; seed {wanted.seed}. The network has no prior of its own: "
            "nothing in its training asked that codes between the known ones mean anything."
        )
    columns = columns_for(len(found.images))
    tiles = [Tile(image) for image in found.images]
    rows = [Row("", tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    sheet = Sheet(f"{len(tiles)} samples from {source}", [], rows)
    arrays = {"sample_images": found.images, "sample_codes": found.codes}
    return Part("samples", "Samples", text, lambda theme: sheets([sheet], theme), arrays)


def columns_for(count: int) -> int:
    """Return how many images to draw side by side: so many that all rows are full, where 6 to 12 can do it, else 10.

    >>> columns_for(64), columns_for(100), columns_for(7), columns_for(3)
    (8, 10, 7, 3)
    """
    if count <= 10:
        return count
    return next((columns for columns in (10, 9, 8, 12, 7, 6, 11) if count % columns == 0), 10)
