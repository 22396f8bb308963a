"""Images in memory as people have them: arrays, tensors, lists, data sets of torch, tables with columns; and labels."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cuello.core.errors import CuelloError, first_few
from cuello.core.memory import check_memory
from cuello.core.progress import OnProgress, Progress
from cuello.data.arrays import check_shape
from cuello.data.levels import UnfitError
from cuello.data.picture import from_pillow, opened
from cuello.data.stored import StoredImage, turned_upright

IMAGE_KEYS, LABEL_KEYS = ("image", "img", "images", "pixel_values"), ("label", "labels", "target", "class")
"""What items and columns with an image, or a label, are called where nothing else tells them."""
ESTIMATED_FROM = 32
"""Images of a data set from which it is estimated what all of them take."""
KINDS = (
    "an array (N, H, W) or (N, H, W, C), a tensor (N, C, H, W), a list of arrays, tensors, Pillow images or paths, or "
    "a data set with a length whose items are images, or (image, label)"
)


def check_kind(data: Any) -> None:
    """Raise CuelloError for what has no images by position, and say how to come by them."""
    import torch.utils.data

    how = f"Needed a path, a data set's name, {KINDS}."
    if isinstance(data, torch.utils.data.DataLoader):
        raise CuelloError("got a DataLoader, whose batches are cut already. Hand in what it loads: loader.dataset.")
    if isinstance(data, Mapping):
        parts = first_few(map(str, data))
        raise CuelloError(f"got {type(data).__name__} with the parts {parts}. Hand in one of them, e.g. data['train'].")
    endless = isinstance(data, torch.utils.data.IterableDataset) or not hasattr(data, "__len__")
    if endless and (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise CuelloError(f"got {type(data).__name__}, whose items come one after another. Make a list of them first.")
    if endless or not hasattr(data, "__getitem__"):
        raise CuelloError(f"got {type(data).__name__}. {how}")


def kind_of(data: Any) -> str:
    """Name the kind of data in one word."""
    known = {"ndarray": "array", "Tensor": "tensor"}
    return known.get(type(data).__name__, type(data).__name__)


def as_array(data: Any, name: str) -> np.ndarray | None:
    """Give arrays and tensors as ``(N, H, W, C)``, without a copy where that is possible; None for everything else."""
    import torch

    if isinstance(data, torch.Tensor):
        array = data.detach().cpu().numpy()
        if array.ndim == 4 and array.shape[1] not in (1, 3, 4) and array.shape[3] in (1, 3, 4):
            raise CuelloError(
                f"{name}: got a tensor of shape {array.shape}, needed (N, C, H, W): tensor.permute(0, 3, 1, 2)."
            )
        array = np.moveaxis(array, 1, 3) if array.ndim == 4 else array
    elif isinstance(data, np.ndarray):
        array = data
        if np.ma.is_masked(array):
            raise CuelloError(f"{name}: got masked values; fill them first: array.filled(0).")
    else:
        return None
    if array.ndim == 3 and (array.shape[-1] <= 4 or (array.shape[0] <= 4 and isinstance(data, torch.Tensor))):
        raise CuelloError(f"{name}: got one image of shape {tuple(data.shape)}, needed several: (N, …), or a list.")
    array = array[..., None] if array.ndim == 3 else array
    check_shape(array.shape, name)
    return array


def array_pictures(array: np.ndarray, name: str) -> Callable[[int], StoredImage]:
    def picture(index: int) -> StoredImage:
        return parted(array[index])

    return picture


def parted(pixels: np.ndarray) -> StoredImage:
    """Take ``(H, W, C)`` pixels; a fourth channel is taken for transparency."""
    pixels = pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
    return StoredImage(pixels[..., :3], pixels[..., 3:] if pixels.shape[-1] == 4 else None, declared=False)


def item_pictures(data: Any, name: str, tell: OnProgress) -> tuple[Callable[[int], StoredImage], list[Any] | None]:
    """Read every item of a list or a data set once: the images, and their labels where they have some."""
    pictures: list[StoredImage] = []
    labels: list[Any] = []
    for index in range(len(data)):
        try:
            item = data[index]
        except Exception as error:
            raise CuelloError(f"{name}: item {index} could not be read ({type(error).__name__}: {error}).") from error
        image, label = image_and_label(item, f"{name}: item {index}")
        pictures.append(picture_of(image, f"{name}: item {index}"))
        labels.append(label)
        if index + 1 == ESTIMATED_FROM:
            size = sum(one.with_alpha.nbytes for one in pictures) * len(data) // ESTIMATED_FROM
            check_memory(
                size, f"the images of {name} need", "Hand in fewer, or give them as files, which are streamed."
            )
        tell(Progress(f"reading {name}", index + 1, len(data)))
    without = [index for index, label in enumerate(labels) if label is None]
    if without and len(without) < len(labels):
        raise CuelloError(f"{name}: item {without[0]} has no label, and others have one. Give labels for all, or none.")
    return pictures.__getitem__, None if without else labels


def image_and_label(item: Any, what: str) -> tuple[Any, Any]:
    """Take an item of a data set apart: an image, (image, label), or a mapping of both."""
    if isinstance(item, Mapping):
        if "bytes" in item or "path" in item:  # an image that was not decoded
            return (io.BytesIO(item["bytes"]) if item.get("bytes") else Path(item["path"])), None
        image = next((key for key in IMAGE_KEYS if key in item), None)
        if image is None:
            raise CuelloError(f"{what} has the parts {first_few(map(str, item))}; call the one with the image 'image'.")
        return item[image], next((item[key] for key in LABEL_KEYS if key in item), None)
    if not isinstance(item, tuple | list):
        return item, None
    if not 1 <= len(item) <= 2 or isinstance(item[0], int | float | list):
        raise CuelloError(f"{what} has {len(item)} parts; needed an image, or (image, label).")
    label = item[1] if len(item) == 2 else None
    if label is not None and not isinstance(label, str) and np.size(label) != 1:
        raise CuelloError(
            f"{what} has two parts, of which the second is not a label but {type(label).__name__}. Needed (image, "
            "label), a whole number or a name; for pairs, hand in the images, and what they should become as target."
        )
    return item[0], label


def picture_of(image: Any, what: str) -> StoredImage:
    """Take one image: an array ``(H, W)`` or ``(H, W, C)``, a tensor ``(C, H, W)``, Pillow's, a file."""
    import torch

    if isinstance(image, Path | io.BytesIO | str):
        try:
            image = opened(Path(image) if isinstance(image, str) else image)
        except (OSError, ValueError) as error:
            raise CuelloError(f"{what} could not be read: {error}.") from None
    if isinstance(image, Image.Image):
        try:
            image.load()
            return turned_upright(from_pillow(image))
        except (UnfitError, OSError) as error:
            raise CuelloError(f"{what} is a Pillow image of mode {image.mode}: {error}.") from None
    if isinstance(image, torch.Tensor):
        pixels = image.detach().cpu().numpy()
        if pixels.ndim == 3 and pixels.shape[0] not in (1, 3, 4):
            raise CuelloError(f"{what} is a tensor of shape {pixels.shape}, needed (C, H, W) with C of 1, 3 or 4.")
        pixels = np.moveaxis(pixels, 0, 2) if pixels.ndim == 3 else pixels
    elif isinstance(image, np.ndarray) or hasattr(image, "__array__"):
        pixels = np.asarray(image)
    else:
        raise CuelloError(f"{what} is {type(image).__name__}; needed an array, a tensor or a Pillow image.")
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    check_shape((1, *pixels.shape), what)
    return parted(pixels)


# Labels


def numbered_labels(
    labels: Any, classes: Sequence[str] | None, name: str
) -> tuple[np.ndarray | None, Sequence[str] | None]:
    """Bring labels to whole numbers and, where they are known, the names that these stand for.

    >>> numbered_labels(["dog", "cat", "dog"], None, "list[3]")
    (array([1, 0, 1]), ['cat', 'dog'])
    """
    if labels is None:
        return None, None
    if not hasattr(labels, "__array__"):  # a list, or a column of a table
        labels = [one.item() if hasattr(one, "item") and np.size(one) == 1 else one for one in labels]
    found = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if found.dtype.kind == "O" and all(isinstance(one, str) for one in found.flat):
        found = found.astype(str)
    if found.dtype.kind == "U":
        names, numbers = np.unique(found, return_inverse=True)
        return numbers, [str(one) for one in names]
    if found.dtype.kind not in "iub":
        raise CuelloError(f"{name}: got labels of type {found.dtype}, needed one whole number or one name each.")
    numbers = found.astype(np.int64)
    fitting = classes is not None and (not numbers.size or 0 <= numbers.min() <= numbers.max() < len(classes))
    return numbers, classes if fitting else None


def classes_of(data: Any) -> list[str] | None:
    """Find the names of a data set's classes, as torchvision's have them in ``classes``, or a Subset's has its own."""
    while data is not None:
        names = getattr(data, "classes", None)
        if isinstance(names, list | tuple) and all(isinstance(one, str) for one in names):
            return list(names)
        data = getattr(data, "dataset", None)
    return None


# Tables with columns, as of Hugging Face


@dataclass(frozen=True)
class TableItems:
    """The images and labels of a table, by position."""

    table: Any
    image: str
    label: str | None

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Any:
        row = self.table[index]
        image, _ = image_and_label({"image": row[self.image]}, "")
        image = image_and_label(image, "")[0] if isinstance(image, Mapping) else image
        return image, None if self.label is None else row[self.label]


def is_table(data: Any) -> bool:
    """Know a table with columns by what it says of itself, without its library."""
    return isinstance(getattr(data, "features", None), Mapping) and hasattr(data, "column_names")


def columns_of(data: Any, name: str) -> tuple[str, str | None]:
    """Find the column with the images and the one with the labels, or None; CuelloError where that is not clear."""
    kinds = {column: type(feature).__name__ for column, feature in data.features.items()}
    images = [column for column, kind in kinds.items() if kind == "Image"] or [c for c in kinds if c in IMAGE_KEYS]
    labels = [column for column, kind in kinds.items() if kind == "ClassLabel"] or [c for c in kinds if c in LABEL_KEYS]
    if len(images) != 1:
        has = f"{len(images)} columns of images" if images else "no column of images"
        raise CuelloError(f"{name} has {has} among {first_few(kinds, 20)}. Hand in one column: data['NAME'].")
    named = [column for column in labels if column in LABEL_KEYS]
    return images[0], (named or labels or [None])[0]


def columns_note(data: Any, columns: tuple[str, str | None]) -> list[str]:
    """Say where labels were taken from one of several columns."""
    several = [column for column, feature in data.features.items() if type(feature).__name__ == "ClassLabel"]
    if len(several) < 2:
        return []
    return [f"labels are those of the column {columns[1]} (of {', '.join(several)}); to choose, give labels yourself"]


def class_names(data: Any, label: str | None) -> list[str] | None:
    names = getattr(data.features[label], "names", None) if label is not None else None
    return [str(one) for one in names] if names else None
