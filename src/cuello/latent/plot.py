"""The codes of somebody's images as points, on axes of their own."""

from typing import Any

import numpy as np

from cuello.core.caller import caller_kept
from cuello.data.handed import from_python
from cuello.inference.model import Model
from cuello.latent.images import MOST, named_images
from cuello.latent.map_picture import MOST_COLOURS, literal
from cuello.latent.maps import Method, project
from cuello.runs.look import new_figure

NAMES = {"pca": "principal component", "tsne": "t-SNE", "umap": "UMAP"}


@caller_kept()
@from_python("images")
def plot(
    model: Model,
    images: Any,
    labels: Any = None,
    *,
    method: Method | None = None,
    ax: Any = None,
    most: int = MOST,
    seed: int = 0,
) -> Any:
    """Draw the codes of images as points of a plane, in a colour for each label.

    images: a folder, a file, a data set's name, or images from Python as for ``cuello.train``; labels: of these, one
    whole number or one name each. method, seed: as for ``project``. ax: matplotlib's axes, by default those of a figure
    of its own. most: images at most, spread evenly. Returns the figure, or the axes that were given.
    """
    from matplotlib.patheffects import withStroke

    model.check_latent()
    known = named_images(model, str(images), most)
    found = project(np.asarray(model.encode(known.images)), method, seed)
    figure = new_figure(5.6, 4.8) if ax is None else None
    axes: Any = ax if figure is None else figure.subplots()
    few = 0 < len(known.classes) <= MOST_COLOURS
    rim = [withStroke(linewidth=3, foreground=axes.get_facecolor())]
    size = float(np.clip(9000 / len(known), 7, 28))
    if known.labels is None:
        axes.scatter(*found.points.T, s=size, linewidths=0)
    for number, name in enumerate(literal(known.classes)):
        points = found.points[known.labels == number]
        colour = None if few else f"C{number % 10}"
        alone = len(points) == 1 and not few  # its name says where it is
        axes.scatter(*points.T, s=size, linewidths=0, label=name, c=colour, alpha=0 if alone else None)
        if not few and len(points):
            place = np.median(points, axis=0)
            axes.annotate(name, place, ha="center", va="center", fontweight="bold", color=colour, path_effects=rim)
    if few:
        axes.legend(loc="best")
    kept = "" if found.share is None else f", which hold {found.share:.0%} of the variance"
    words = "first number of the code", "second number of the code"
    if found.method is not None:
        words = tuple(f"{which} {NAMES[found.method]}" for which in ("first", "second"))
    axes.set(xlabel=words[0], ylabel=words[1], title=f"codes of {len(known)} images{kept}")
    return axes if figure is None else figure
