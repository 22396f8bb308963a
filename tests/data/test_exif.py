"""Which way up a picture is: what Pillow shows upright comes upright, and EXIF data say so and stay whole otherwise."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from cuello.data.exif import orientation_of, resized_exif, upright, upright_exif, upright_xmp
from cuello.data.picture import read_picture, write_picture
from cuello.data.sources import open_path

PIXELS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 12
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def exif_data(orientation: int, endian: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 72.0
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 3
    return exif.tobytes()


def with_thumbnail() -> bytes:
    """EXIF data, big-endian: an orientation of 8 as a long, and a second directory, empty, at 30."""
    entry = b"\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00\x08"
    return b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01" + entry + b"\0\0\0\x1e" + b"\0\0\0\x20" + b"\0\0\0\0\0\0"


def parsed(exif: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(exif)
    return found


@pytest.mark.parametrize("orientation", range(10))
def test_pixels_are_turned_as_pillow_turns_them(orientation: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG", exif=exif_data(orientation))
    shown = ImageOps.exif_transpose(Image.open(stream))
    assert np.array_equal(upright(PIXELS, orientation_of(exif_data(orientation))), np.asarray(shown))


@pytest.mark.parametrize("source", ["png", "webp", "jpg"])
@pytest.mark.parametrize("target", ["png", "webp", "bmp", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_written_looks_upright_as_the_source_does(
    tmp_path: Path, source: str, target: str, orientation: int
) -> None:
    options: Any = (
        {"quality": 100, "subsampling": 0} if source == "jpg" else {"lossless": True} if source == "webp" else {}
    )
    Image.fromarray(np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))).save(
        tmp_path / f"a.{source}", exif=exif_data(orientation), xmp=XMP % orientation, **options
    )
    write_picture(tmp_path / f"b.{target}", read_picture(tmp_path / f"a.{source}"))
    with Image.open(tmp_path / f"a.{source}") as one, Image.open(tmp_path / f"b.{target}") as other:
        shown, result = (np.asarray(ImageOps.exif_transpose(image)).astype(int) for image in (one, other))
        assert np.abs(shown - result).max() <= (6 if target == "jpg" else 0)  # as shown, or as JPEG rounds it
        assert other.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert other.getexif().get(ExifTags.Base.Make) == ("Maker" if target not in ("bmp", "tif") else None)
        assert b'Orientation="1"' in other.info.get("xmp", b'Orientation="1"')


def test_xmp_alone_says_which_way_up_it_is(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", xmp=XMP % 6, lossless=True)
    picture = read_picture(tmp_path / "a.webp")
    assert picture.pixels.shape == (3, 2, 3)
    assert picture.about.xmp == XMP % 1
    assert upright_xmp(b"<tiff:Orientation>3</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"


def test_exif_data_written_as_text_of_a_png_count(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    texts, exif = PngInfo(), exif_data(6)
    texts.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n", zip=True)
    Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=texts)
    write_picture(tmp_path / "b.png", read_picture(tmp_path / "a.png"))
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (2, 3)
        assert image.getexif()[ExifTags.Base.Orientation] == 1
        assert image.getexif()[ExifTags.Base.Make] == "Maker"


@pytest.mark.parametrize("endian", ["<", ">"])
def test_the_tags_follow_the_pixels_and_the_rest_stays(endian: str) -> None:
    exif = exif_data(6, endian)
    turned = parsed(upright_exif(exif, width=2, height=3))
    assert turned[ExifTags.Base.Orientation] == 1
    assert turned.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 2
    assert (turned[ExifTags.Base.XResolution], turned[ExifTags.Base.Make]) == (72, "Maker")
    larger = parsed(resized_exif(exif, width=70_000, height=3, scale=2))
    assert larger.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 70_000  # too large for a short
    assert larger[ExifTags.Base.XResolution] == larger[ExifTags.Base.YResolution] == 144
    assert larger[ExifTags.Base.Orientation] == 6


def test_a_thumbnail_that_lies_on_its_side_is_no_longer_pointed_to() -> None:
    exif = with_thumbnail()
    assert orientation_of(exif) == 8
    changed = upright_exif(exif, width=1, height=1)
    assert orientation_of(changed) == 1
    assert [place for place in range(len(exif)) if exif[place] != changed[place]] == [27, 31]


@given(st.binary(max_size=80), st.integers(0, 120), st.binary(max_size=12))
def test_damaged_exif_data_raise_nothing_and_keep_their_length(noise: bytes, place: int, patch: bytes) -> None:
    whole = exif_data(6)
    for exif in (
        noise,
        b"Exif\0\0II\x2a\0" + noise,
        whole[:place],
        whole[:place] + patch + whole[place + len(patch) :],
    ):
        assert 1 <= orientation_of(exif) <= 8
        assert len(upright_exif(exif, width=2, height=3)) == len(exif)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiffs_tag_counts_as_exif_data_do(tmp_path: Path, bits: int, pages: int, orientation: int) -> None:
    stored = PIXELS if bits == 8 else PIXELS.astype(np.uint16) * 257
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(pages):
            file.write(stored, photometric="rgb", extratags=[(274, "H", 1, orientation, True)], contiguous=False)
    source = open_path(tmp_path / "a.tif")
    assert len(source.names) == pages
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG", exif=exif_data(orientation))
    shown = np.asarray(ImageOps.exif_transpose(Image.open(stream)))
    for page in range(pages):
        assert np.array_equal(source.read(page).pixels // (1 if bits == 8 else 257), shown)
