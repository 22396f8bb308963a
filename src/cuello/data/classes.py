"""Images as examples of classes: every label a position in a list of names."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cuello.core.errors import CuelloError, closest, first_few
from cuello.data.arrays import named_labels
from cuello.data.images import Images

HOW = (
    "Put the images of each class into a subfolder of its own, or give an .npz with 'images' and 'labels', or, from "
    "Python, labels."
)


def classified(images: Images) -> Images:
    """Number the labels from 0 to K - 1, int64, and keep the K names they stand for.

    Raises CuelloError where there are no labels, and why, or fewer than two classes.

    >>> pixels = np.zeros((1, 1, 1), np.uint8)
    >>> classified(Images("pets", [pixels] * 3, ["a", "b", "c"], np.array([7, 3, 7]))).label_names
    ['3', '7']
    """
    if images.labels is None:
        raise unlabelled(images)
    labels, names = named_labels(images.labels, images.label_names)
    if labels is None or len(names) < 2:
        only = names[0] if names else "none"
        raise CuelloError(f"{images.name} has images of one class only, {only}; needed two or more. {HOW}")
    return replace(images, labels=labels.astype(np.int64).reshape(-1), label_names=names)


def unlabelled(images: Images) -> CuelloError:
    """Say why images have no labels."""
    if images.validated is not None or (images.held_out is not None and any("/" in name for name in images.names)):
        shortest = min(name.count("/") for name in images.names)
        flat = [name for name in images.names if name.count("/") == shortest]
        return CuelloError(
            f"{images.name} is divided by its folders for training, validation and testing, but its images do not all "
            f"lie in class folders, two or more, within these, e.g. {flat[0]}. {HOW}"
        )
    folders = sorted({name.partition("/")[0] for name in images.names if "/" in name})
    beside = [name for name in images.names if "/" not in name]
    if folders and beside:
        return CuelloError(
            f"{len(beside)} of the {len(images)} images of {images.name} lie beside its subfolders "
            f"({first_few(beside)}), so that their class is not known. {HOW}"
        )
    if len(folders) == 1:
        return CuelloError(
            f"{images.name} has images of one class only, {folders[0]}; needed two or more. {HOW} If the classes are "
            f"the folders in it, name {images.name}/{folders[0]}."
        )
    return CuelloError(f"{images.name} has images without labels; a classifier needs them. {HOW}")


def aligned(images: Images, classes: Sequence[str]) -> Images:
    """Turn labels into positions in ``classes``, a classifier's; some may not occur.

    Raises CuelloError that names a class of the images that the classifier does not know.
    """
    if images.labels is None:
        raise unlabelled(images)
    labels, names = named_labels(images.labels, images.label_names)
    unknown = [name for name in names if name not in classes]
    if labels is None or unknown:
        count = int((labels == names.index(unknown[0])).sum()) if labels is not None else 0
        raise CuelloError(
            f"{images.name} has {count} images of the class {unknown[0]!r}, which this classifier does not know."
            f"{closest(unknown[0], classes)} It knows: {', '.join(classes)}. Rename the class, or leave it out."
        )
    places = np.array([classes.index(name) for name in names], np.int64)
    return replace(images, labels=places[labels].reshape(-1), label_names=list(classes))
