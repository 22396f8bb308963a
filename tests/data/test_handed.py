"""Images from Python: every kind gives the pixels it holds, under a name that says which they are."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from cuello.core.errors import CuelloError, Fault
from cuello.data.catalog import open_source
from cuello.data.handed import from_python, hand_in, lasting
from cuello.data.images import load_images
from cuello.data.levels import Levels, parse_levels

GREY = np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), np.uint8)
PILLOW = [Image.fromarray(one) for one in COLOUR]


class Pets(TorchDataset[Any]):
    """As torchvision's data sets: (image, label) by position, and the names of the classes."""

    classes = ("cat", "dog")

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return PILLOW[index], index % 2


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(PILLOW)

    def __len__(self) -> int:
        return 5


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Table:
    """As Hugging Face's data sets: rows by number, features by column."""

    def __init__(self, features: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.features, self.rows, self.column_names = features, rows, list(features)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


IMAGE_FEATURE = type("Image", (), {})()


def table(**more: Any) -> Table:
    rows = [{"img": one, "fine": k % 3, "text": "…", **dict.fromkeys(more, 0)} for k, one in enumerate(PILLOW)]
    return Table({"text": "string", "img": IMAGE_FEATURE, "fine": ClassLabel(["x", "y", "z"]), **more}, rows)


def png(image: Image.Image) -> dict[str, Any]:
    stream = io.BytesIO()
    image.save(stream, "png")
    return {"bytes": stream.getvalue(), "path": None}


def opened(data: Any, labels: Any = None, levels: Levels | None = None) -> Any:
    with lasting([hand_in(data, labels)]) as handed:
        return load_images(open_source(handed[0].name, levels))


KINDS: dict[str, tuple[Any, np.ndarray]] = {
    "grey array": (GREY, GREY[..., None]),
    "colour array": (COLOUR, COLOUR),
    "big-endian 16 bits": (GREY.astype(">u2"), GREY[..., None].astype(np.uint16)),
    "array of one channel": (GREY[..., None], GREY[..., None]),
    "bool": (GREY > 99, (GREY[..., None] > 99) * np.uint8(255)),
    "grey tensor": (torch.from_numpy(GREY), GREY[..., None]),
    "colour tensor": (torch.from_numpy(COLOUR).permute(0, 3, 1, 2), COLOUR),
    "float tensor": (torch.from_numpy(GREY / np.float32(255))[:, None], GREY[..., None] / np.float32(255)),
    "list of arrays": (list(GREY), GREY[..., None]),
    "list of tensors": (list(torch.from_numpy(COLOUR).permute(0, 3, 1, 2)), COLOUR),
    "grey tensors without channels": (list(torch.from_numpy(GREY)), GREY[..., None]),
    "list of Pillow images": (PILLOW, COLOUR),
    "tuple": (tuple(PILLOW), COLOUR),
    "data set with labels": (Pets(), COLOUR),
    "data set of tensors": (TensorDataset(torch.from_numpy(GREY)), GREY[..., None]),
    "items with names": ([{"image": one, "label": 3} for one in GREY], GREY[..., None]),
    "table": (table(), COLOUR),
    "column": ([png(one) for one in PILLOW], COLOUR),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_pixels_in_their_order(kind: str) -> None:
    data, expected = KINDS[kind]
    images = opened(data)
    assert np.array_equal(np.stack(list(images.arrays)), expected)
    assert images.arrays[0].dtype == expected.dtype
    assert images.names == ["0", "1", "2", "3", "4"]


def test_images_of_several_sizes(make_image: Callable[..., np.ndarray]) -> None:
    given = [make_image(0, 8, 9), make_image(1, 10, 12)]
    assert opened(given).shapes() == {(8, 9), (10, 12)}


def test_files_by_their_paths(make_images: Callable[..., Path], tmp_path: Path) -> None:
    paths = sorted(make_images(tmp_path / "some", count=3).iterdir())
    images = opened([paths[2], str(paths[0])], labels=["b", "a"])
    assert images.names == ["2.png", "0.png"]
    assert [list(images.labels), images.label_names] == [[1, 0], ["a", "b"]]
    with pytest.raises(CuelloError, match=r"1 of the paths are not files: .*nowhere\.png"):
        hand_in([paths[0], tmp_path / "nowhere.png"])


@pytest.mark.parametrize(
    ("data", "labels", "numbers", "names"),
    [
        (Pets(), None, [0, 1, 0, 1, 0], ["cat", "dog"]),
        (Subset(Pets(), [1, 0]), None, [1, 0], ["cat", "dog"]),
        (table(), None, [0, 1, 2, 0, 1], ["x", "y", "z"]),
        (GREY, [4, 4, 9, 9, 4], [4, 4, 9, 9, 4], None),
        (GREY, torch.tensor([1, 2, 3, 4, 5]), [1, 2, 3, 4, 5], None),
        (GREY, [torch.tensor(7)] * 5, [7] * 5, None),
        (GREY, ("ox", "ox", "ant", "ox", "ant"), [1, 1, 0, 1, 0], ["ant", "ox"]),
        (GREY, np.array(["b", "a", "a", "a", "a"], object), [1, 0, 0, 0, 0], ["a", "b"]),
        (Pets(), ["p", "q", "p", "q", "q"], [0, 1, 0, 1, 1], ["p", "q"]),
        ([(one, "a") for one in GREY], None, [0] * 5, ["a"]),
    ],
)
def test_labels_come_from_the_data_or_beside_them(data: Any, labels: Any, numbers: list[int], names: Any) -> None:
    images = opened(data, labels)
    assert images.labels.tolist() == numbers
    assert images.label_names == names


def test_which_of_several_columns_gives_the_labels_is_said() -> None:
    given = table(coarse=ClassLabel(["c"]), label=ClassLabel(["l"]))
    assert opened(given).notes == [
        "labels are those of the column label (of fine, coarse, label); to choose, give labels yourself"
    ]
    assert opened(given).label_names == ["l"]


def test_the_name_is_of_the_pixels_in_whatever_they_come() -> None:
    one, other = hand_in(COLOUR), hand_in(PILLOW)
    assert (one.kind, other.kind, one.checksum) == ("array", "list", other.checksum)
    assert one.name == f"python:array[5]#{one.checksum}"
    assert hand_in(GREY).checksum != hand_in(GREY[::-1]).checksum
    assert hand_in(GREY).checksum != hand_in(GREY.reshape(5, 7, 6)).checksum
    assert hand_in(COLOUR, labels=[0, 1, 2, 3, 4]).checksum == one.checksum


@given(hnp.arrays(np.uint8, (2, 5, 5)), st.integers(0, 49), st.integers(1, 255))
def test_any_other_pixel_makes_another_name(pixels: np.ndarray, place: int, change: int) -> None:
    other = pixels.copy()
    other.flat[place] = (int(other.flat[place]) + change) % 256
    assert hand_in(pixels).name != hand_in(other).name
    assert hand_in(pixels).name == hand_in(pixels.copy()).name


def test_a_range_says_what_black_and_white_are() -> None:
    given = np.array([[[0, 4095, 7, 8, 9], [2048, 1, 5, 6, 4000]]], np.int64).repeat(3, 0)
    images = opened(given, levels=parse_levels("0..4095"))
    assert np.allclose(images.arrays[0][..., 0], given[0] / 4095)
    with pytest.raises(CuelloError, match="got values of type int64"):
        opened(given)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, "got int. Needed a path, a data set's name, an array"),
        (iter(GREY), "whose items come one after another"),
        (Endless(), "got Endless, whose items come one after another"),
        (DataLoader(Pets()), "loader.dataset"),
        ({"train": Pets(), "test": Pets()}, r"parts train, test. Hand in one of them"),
        ([], r"list\[0\] holds no image"),
        (COLOUR[0], r"got one image of shape \(6, 7, 3\)"),
        (torch.zeros(3, 6, 7), r"got one image of shape \(3, 6, 7\)"),
        (torch.zeros(5, 6, 7, 3), r"tensor.permute\(0, 3, 1, 2\)"),
        (np.zeros((5, 3, 6, 7)), r"array.transpose\(0, 2, 3, 1\)"),
        (np.zeros((5, 6, 7, 9)), "C of 1, 3 or 4"),
        (np.ma.masked_equal(GREY, GREY[0, 0, 0]), "masked values"),
        ([torch.zeros(6, 7, 3)], r"item 0 is a tensor of shape \(6, 7, 3\), needed \(C, H, W\)"),
        (["no image", 3], "item 0 could not be read"),
        ([GREY[0], 3], "item 1 is int; needed an array"),
        ([(GREY[0], GREY[1])], "the second is not a label but ndarray.*as target"),
        ([(GREY[0], 1, 2)], "item 0 has 3 parts"),
        ([(GREY[0], 1), GREY[1]], "item 1 has no label, and others have one"),
        ([{"picture": GREY[0]}], "has the parts picture; call the one with the image 'image'"),
        (TensorDataset(torch.zeros(2, 3, 6, 7), torch.zeros(2, 4)), "not a label but Tensor"),
        (Table({"text": "string"}, [{"text": ""}]), "no column of images among text"),
        (table(clean=IMAGE_FEATURE), "2 columns of images among text, img, fine, clean"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_is_needed(data: Any, said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        opened(data)


def test_an_item_that_fails_is_named() -> None:
    class Broken(Pets):
        def __getitem__(self, index: int) -> Any:
            raise KeyError("gone")

    with pytest.raises(CuelloError, match=r"Broken\[5\]: item 0 could not be read \(KeyError: 'gone'\)"):
        hand_in(Broken())


@pytest.mark.parametrize(
    ("labels", "said"), [([1, 2], r"labels of shape \(2,\) for 5"), ([0.5] * 5, "labels of type float64")]
)
def test_labels_that_do_not_fit(labels: Any, said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        hand_in(GREY, labels)


@from_python("data", "other")
def take(word: str, data: Any = "photos", *, other: Any = None, labels: Any = None, **more: Any) -> list[Any]:
    sources = [open_source(one).labels for one in (data, other, more.get("deep")) if one is not None]
    return [word, data, other, labels, *(None if one is None else one.tolist() for one in sources)]


def test_names_stand_for_images_while_the_call_lasts() -> None:
    numbers = [1, 2, 3, 4, 5]
    name, second = hand_in(GREY).name, hand_in(COLOUR).name
    assert take("a", GREY, labels=numbers) == ["a", name, None, None, numbers]
    assert take(word="a", data=GREY, other=COLOUR, labels=numbers) == ["a", name, second, None, numbers, None]
    with pytest.raises(Fault, match="were handed in from Python, and no file holds them"):
        take("a", name)
    with pytest.raises(Fault, match=f"got {second[:14]}".replace("[", r"\[")):
        take("a", name, other=COLOUR)
    with pytest.raises(CuelloError, match="labels without images from Python"):
        take("a", labels=numbers)
    with pytest.raises(TypeError):
        take("a", GREY, COLOUR)  # type: ignore[call-arg]


def test_a_hugging_face_data_set() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["x", "y"])})
    found = datasets.Dataset.from_dict({"image": PILLOW, "label": [0, 1, 1, 0, 1]}, features=features)
    images = opened(found)
    assert np.array_equal(np.stack(list(images.arrays)), COLOUR)
    assert [images.labels.tolist(), images.label_names] == [[0, 1, 1, 0, 1], ["x", "y"]]
    column = opened(found["image"], found["label"])
    assert np.array_equal(np.stack(list(column.arrays)), COLOUR)
    assert column.labels.tolist() == [0, 1, 1, 0, 1]
