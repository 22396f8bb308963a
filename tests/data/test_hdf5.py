"""HDF5: which data set, image by image, and what is wrong is named with the remedy."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.hdf5 import Hdf5Source, hdf5_source, split_name
from cuello.data.images import load_images
from cuello.data.levels import Levels


def levels(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write data sets by name into a file and return its path."""

    def make(**arrays: np.ndarray) -> Path:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name.replace("__", "/"), data=array)
        return tmp_path / "a.h5"

    return make


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 4, 5, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_images_one_by_one(write: Callable[..., Path], shape: tuple[int, ...], dtype: type) -> None:
    pixels = levels(*shape, dtype=np.uint8).astype(dtype)
    source = hdf5_source(write(images=pixels))
    assert list(source.names) == ["0", "1", "2"]
    for index in range(3):
        np.testing.assert_array_equal(source.read(index).pixels, pixels[index].reshape(4, 5, -1))
        assert source.read(index).pixels.dtype.isnative


def test_which_data_set(write: Callable[..., Path]) -> None:
    path = write(images=levels(2, 4, 5), raw__day1=levels(3, 4, 5), table=levels(7, 2), labels=np.array([5, 6]))
    assert len(hdf5_source(path).names) == 2
    labels = hdf5_source(path).labels
    assert np.asarray(labels).tolist() == [5, 6]
    day = open_source(f"{path}:raw/day1")
    assert len(day.names) == 3
    assert day.labels is None
    assert len(open_source(f"{path}:/raw/day1").names) == 3
    path.unlink()
    assert len(open_source(str(write(anything=levels(4, 4, 5), table=levels(7, 2)))).names) == 4


def test_a_data_set_that_is_not_there_or_not_clear_lists_those_that_are(write: Callable[..., Path]) -> None:
    path = write(cells=levels(2, 4, 5), nuclei=levels(3, 4, 5), table=levels(7, 2))
    for name, words in ((":cell", r"has no data set 'cell'. Did you mean 'cells'\?"), ("", "holds several data sets")):
        with pytest.raises(CuelloError, match=words) as caught:
            open_source(f"{path}{name}")
        assert "Its data sets: cells (2, 4, 5), nuclei (3, 4, 5), table (7, 2)." in str(caught.value)
        assert f"e.g. {path}:cells" in str(caught.value)
    path.unlink()
    with pytest.raises(CuelloError, match=r"holds no images. Its data sets: table \(7, 2\)"):
        hdf5_source(write(table=levels(7, 2)))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((0, 4, 5), np.uint8)}, r"empty array of shape \(0, 4, 5, 1\), needed at least one image"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, "If the channels come first"),
        ({"images": np.zeros((2, 8, 8), "S3")}, r"values of type \|S3, needed whole numbers or floats"),
        ({"images": np.zeros((2, 8, 8)), "labels": np.zeros(3, int)}, r"labels of shape \(3,\) for 2 images"),
        ({"images": np.zeros((2, 8, 8)), "labels": np.zeros(2)}, "labels of type float64, needed whole numbers"),
    ],
)
def test_what_does_not_fit_is_said_when_it_is_opened(write: Callable[..., Path], arrays: dict, words: str) -> None:
    with pytest.raises(CuelloError, match=words):
        hdf5_source(write(**arrays))


@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "image 1 holds 1 values that are not numbers"),
     (1.5, r"floats from 0 to 1.5; needed 0 to 1.*range='0\.\.1\.5'"), (-7.0, r"range='-7\.\.0'")],
)  # fmt: skip
def test_a_bad_image_is_named_and_can_be_skipped(write: Callable[..., Path], value: float, words: str) -> None:
    pixels = np.zeros((3, 4, 5), np.float32)
    pixels[1, 2, 2] = value
    path = write(images=pixels)
    with pytest.raises(CuelloError, match=words):
        load_images(hdf5_source(path))
    assert load_images(hdf5_source(path), on_error="skip").names == ["0", "2"]


def test_values_outside_a_range_are_named_with_a_wider_one(write: Callable[..., Path]) -> None:
    path = write(images=np.array([[[0, 4095]], [[-3, 5000]]], np.int16))
    source = hdf5_source(path, levels=Levels(0, 4095))
    assert source.read(0).pixels.ravel().tolist() == [0, 1]
    with pytest.raises(CuelloError, match=r"a\.h5:images: image 1 holds values from -3 to 5000, .*range='-3\.\.5000'"):
        source.read(1)


def test_a_damaged_file_says_so(write: Callable[..., Path], tmp_path: Path) -> None:
    whole = write(images=levels(3, 40, 50)).read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path = tmp_path / f"cut-{length}.hdf5"
        path.write_bytes(whole[:length])
        with pytest.raises(CuelloError, match=rf"cut-{length}\.hdf5 could not be read as HDF5.*copy it again"):
            hdf5_source(path)


def test_a_damaged_image_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("images", data=levels(2, 64, 64), chunks=(1, 64, 64), compression="gzip")
        place = made.id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 400] = bytes(400)
    path.write_bytes(content)
    source = hdf5_source(path)
    source.read(0)
    with pytest.raises(CuelloError, match=r"image 1 could not be read .*copy it again"):
        source.read(1)


def test_several_threads_read_at_once(write: Callable[..., Path]) -> None:
    pixels = levels(200, 20, 30)
    source: Hdf5Source = hdf5_source(write(images=pixels))
    with ThreadPoolExecutor(4) as pool:
        for index, picture in enumerate(pool.map(source.read, range(200))):
            np.testing.assert_array_equal(picture.pixels[..., 0], pixels[index])


def test_without_h5py_the_command_is_named(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(images=levels(2, 4, 5))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CuelloError, match=r"pip install 'cuello\[data\]'"):
        hdf5_source(path)


def test_names_are_taken_apart() -> None:
    assert split_name(Path("a/b.H5:x/y")) == (Path("a/b.H5"), "x/y")
    assert split_name(Path("a.hdf5")) == (Path("a.hdf5"), None)
    assert split_name(Path("a.png:x")) == (Path("a.png:x"), None)
