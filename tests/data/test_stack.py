"""TIFF files of several pages: each an image, read by itself, written back."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.images import load_images, pair
from cuello.data.levels import Levels
from cuello.data.picture import StoredImage
from cuello.data.sources import FileSource, folder_source, open_path
from cuello.data.stack import page_offsets, read_page
from cuello.data.tiff_write import write_pages


def levels(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return np.random.default_rng(seed).random(shape).astype(dtype)
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(4, 6, 5), (4, 6, 5, 3)])
@pytest.mark.parametrize(
    "options",
    [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zlib"}],
    ids=lambda o: "-".join(o) or "plain",
)
def test_every_page_is_an_image(tmp_path: Path, dtype: type, shape: tuple[int, ...], options: dict) -> None:
    pixels = levels(*shape, dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if len(shape) == 4 else "minisblack", **options)
    source = open_path(tmp_path / "a.tif")
    assert list(source.names) == ["a.tif#000", "a.tif#001", "a.tif#002", "a.tif#003"]
    for index in (2, 0, 3, 1):
        picture = source.read(index)
        np.testing.assert_array_equal(picture.pixels, pixels[index].reshape(6, 5, -1))
        assert picture.pixels.dtype == dtype


def test_pages_of_other_libraries_kinds_and_sizes(tmp_path: Path) -> None:
    """Palette, CMYK and LZW pages, which Pillow reads; every page of its own size."""
    pages = [Image.fromarray(levels(6 + k, 5, 3, seed=k)) for k in range(3)]
    pages[1] = pages[1].convert("P")
    pages[2] = pages[2].convert("CMYK")
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    images = load_images(open_path(tmp_path / "a.tif"))
    assert [array.shape for array in images.arrays] == [(6, 5, 3), (7, 5, 3), (8, 5, 3)]
    for page, array in zip(pages, images.arrays, strict=True):
        np.testing.assert_array_equal(array, np.asarray(page.convert("RGB")))


def test_imagej_stacks_are_pages_as_they_come(tmp_path: Path) -> None:
    pixels = levels(3, 2, 6, 5, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    source = open_path(tmp_path / "a.tif")
    assert len(source.names) == 6
    np.testing.assert_array_equal(source.read(3).pixels[:, :, 0], pixels[1, 1])


def test_thumbnails_are_no_images(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(levels(8, 8, dtype=np.uint16))
        file.write(levels(2, 2, dtype=np.uint16), subfiletype=1)
        file.write(levels(8, 8, dtype=np.uint16, seed=1))
    assert len(page_offsets(tmp_path / "a.tif")) == 2
    np.testing.assert_array_equal(
        open_path(tmp_path / "a.tif").read(1).pixels[..., 0], levels(8, 8, dtype=np.uint16, seed=1)
    )


def test_stacks_in_folders_keep_labels_and_partners(tmp_path: Path) -> None:
    for part, seed in (("noisy", 0), ("clean", 1)):
        for name in ("cat/s.tif", "dog/a.tif"):
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            pages = 3 if name == "cat/s.tif" else 1
            tifffile.imwrite(tmp_path / part / name, levels(pages, 6, 5, seed=seed), photometric="minisblack")
    source = folder_source(tmp_path / "noisy")
    assert isinstance(source, FileSource)
    assert list(source.names) == ["cat/s.tif#000", "cat/s.tif#001", "cat/s.tif#002", "dog/a.tif"]
    assert np.asarray(source.labels).tolist() == [0, 0, 0, 1]
    paired = pair(*(load_images(folder_source(tmp_path / part)) for part in ("noisy", "clean")))
    assert paired.targets is not None
    for index in range(3):
        np.testing.assert_array_equal(paired.targets[index][..., 0], levels(3, 6, 5, seed=1)[index])


def test_one_page_is_one_image_under_its_own_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", levels(6, 5))
    assert list(open_path(tmp_path / "a.tif").names) == ["a.tif"]
    assert len(page_offsets(tmp_path / "a.tif")) == 1
    Image.fromarray(levels(6, 5)).save(tmp_path / "a.png")
    assert page_offsets(tmp_path / "a.png") == []


def test_an_empty_or_damaged_stack_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(CuelloError, match=r"empty\.tif"):
        load_images(open_path(tmp_path / "empty.tif"))
    tifffile.imwrite(tmp_path / "a.tif", levels(4, 60, 50), photometric="minisblack")
    content = (tmp_path / "a.tif").read_bytes()
    for length in range(0, len(content), 97):
        (tmp_path / "cut.tif").write_bytes(content[:length])
        with pytest.raises(CuelloError, match=r"cut\.tif"):
            load_images(open_path(tmp_path / "cut.tif"))


def test_a_range_and_white_as_zero(tmp_path: Path) -> None:
    values = np.array([[[-1000, 0], [2000, 3000]]] * 2, np.int16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    picture = open_path(tmp_path / "a.tif", Levels(-1000, 3000)).read(1)
    assert picture.pixels.ravel().tolist() == [0, 0.25, 0.75, 1]
    assert picture.stored == np.int16
    tifffile.imwrite(tmp_path / "b.tif", values.clip(0), photometric="miniswhite")
    assert open_path(tmp_path / "b.tif", Levels(0, 3000)).read(0).pixels.ravel()[[0, 3]].tolist() == [1, 0]
    with pytest.raises(
        CuelloError, match=r"a\.tif#001: the image holds values from -1000 to 3000, .*range='-1000..3000'"
    ):
        open_path(tmp_path / "a.tif", Levels(0, 2000)).read(1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pictures = [StoredImage(levels(6 + k, 5, 3, dtype=np.uint16, seed=k)) for k in range(3)]
    pictures[1] = StoredImage(pictures[1].pixels, levels(7, 5, 1, dtype=np.uint16))
    write_pages(tmp_path / "a.tif", iter(pictures))
    for number, offset in enumerate(page_offsets(tmp_path / "a.tif")):
        found = read_page(tmp_path / "a.tif", number, offset)
        np.testing.assert_array_equal(found.pixels, pictures[number].pixels)
        assert (found.alpha is None) == (number != 1)
