"""What a file says beside its pixels: kept where the other format can, named where it cannot."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from cuello.data.about import png_chunks
from cuello.data.picture import lost, read_picture, write_picture
from cuello.data.stored import larger

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x02ab"


def rich_jpeg(path: Path) -> Path:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    segment = b"\xff\xed" + struct.pack(">H", len(IPTC) + 2) + IPTC
    options: dict[str, Any] = {"exif": exif, "xmp": XMP, "comment": b"said", "icc_profile": PROFILE, "extra": segment}
    Image.fromarray(PIXELS).save(path, dpi=(300, 150), **options)
    return path


def rich_png(path: Path, pixels: np.ndarray = PIXELS, bits: int = 8) -> Path:
    texts = PngInfo()
    texts.add(b"gAMA", struct.pack(">I", 100_000))
    texts.add(b"cHRM", struct.pack(">8I", *range(1, 9)))
    texts.add_text("Author", "Ä. Nobody")
    if bits == 8:
        Image.fromarray(pixels).save(path, pnginfo=texts, dpi=(300, 150))
        return path
    import png

    plain = path.with_name("plain.png")
    with plain.open("wb") as file:
        kind: Any = {"greyscale": False}
        png.Writer(4, 4, bitdepth=16, **kind).write(file, pixels.astype(np.uint16).reshape(4, 12) * 257)
    first, *others = png.Reader(filename=str(plain)).chunks()
    with path.open("wb") as file:
        png.write_chunks(file, [first, *[(name, data) for name, data, *_ in texts.chunks], *others])
    return path


def test_a_jpeg_of_a_jpeg_says_all_that_it_said(tmp_path: Path) -> None:
    picture = read_picture(rich_jpeg(tmp_path / "a.jpg"))
    write_picture(tmp_path / "b.jpg", picture)
    assert lost(".jpg", picture) == []
    with Image.open(tmp_path / "b.jpg") as image:
        about = image.info
        assert (about["xmp"], about["comment"], about["icc_profile"], about["dpi"]) == (
            XMP,
            b"said",
            PROFILE,
            (300, 150),
        )
        assert about["photoshop"] == {0x0404: b"ab"}
        assert image.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_of_a_png_keeps_gamma_primaries_and_texts(tmp_path: Path, bits: int) -> None:
    picture = read_picture(rich_png(tmp_path / "a.png", bits=bits))
    assert picture.pixels.dtype == f"uint{bits}"
    write_picture(tmp_path / "b.png", picture)
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["gamma"] == 1
        assert image.info["chromaticity"] == pytest.approx([k / 100_000 for k in range(1, 9)])
        assert image.info["Author"] == "Ä. Nobody"


@pytest.mark.parametrize(
    ("make", "suffix", "names"),
    [
        (rich_jpeg, ".png", ["IPTC data"]),
        (rich_jpeg, ".bmp", ["colour profile", "EXIF data", "XMP", "comment", "IPTC data"]),
        (rich_jpeg, ".webp", ["resolution", "comment", "IPTC data"]),
        (rich_png, ".jpg", ["texts", "gamma or primaries"]),
        (rich_png, ".png", []),
    ],
)
def test_what_the_other_format_does_not_hold_is_named(tmp_path: Path, make: Any, suffix: str, names: list[str]) -> None:
    assert lost(suffix, read_picture(make(tmp_path / f"a.{make.__name__[5:]}"))) == names


def test_xmp_and_comment_of_a_jpeg_go_into_a_png(tmp_path: Path) -> None:
    write_picture(tmp_path / "b.png", read_picture(rich_jpeg(tmp_path / "a.jpg")))
    with Image.open(tmp_path / "b.png") as image:
        assert (image.info["xmp"], image.info["Comment"]) == (XMP, "said")


def test_what_is_too_long_for_a_jpeg_is_named_and_the_picture_is_written(tmp_path: Path) -> None:
    xmp = XMP + b" " * 70_000
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", xmp=xmp)
    picture = read_picture(tmp_path / "a.webp")
    assert lost(".jpg", picture) == ["XMP (70037 bytes, a JPEG holds at most 65504)"]
    write_picture(tmp_path / "b.jpg", picture)
    write_picture(tmp_path / "b.png", picture)
    with Image.open(tmp_path / "b.jpg") as image, Image.open(tmp_path / "b.png") as other:
        assert "xmp" not in image.info
        assert other.info["xmp"] == xmp


def test_an_enlarged_picture_has_more_pixels_an_inch(tmp_path: Path) -> None:
    picture = read_picture(rich_jpeg(tmp_path / "a.jpg"))
    assert larger(picture, 2).dpi == (600, 300)
    assert larger(picture, 1) is picture


@pytest.mark.parametrize("dpi", [(0, 0), (0, 300)])
def test_a_resolution_of_nothing_is_none(tmp_path: Path, dpi: tuple[int, int]) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.bmp", dpi=dpi)
    assert read_picture(tmp_path / "a.bmp").dpi is None


@pytest.mark.parametrize(("bits", "colours"), [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (8, 3), (16, 3)])
def test_a_transparent_colour_becomes_transparency(tmp_path: Path, bits: int, colours: int) -> None:
    """The colour of a tRNS chunk is hidden and its neighbour by one level is not."""
    import png

    white, hidden = 2**bits - 1, 2**bits - 2
    row = np.repeat([0, hidden, white], colours)
    with (tmp_path / "a.png").open("wb") as file:
        kind: Any = {"greyscale": colours == 1, "transparent": hidden if colours == 1 else (hidden,) * 3}
        png.Writer(3, 1, bitdepth=bits, **kind).write(file, [row.tolist()])
    picture = read_picture(tmp_path / "a.png")
    full = 65535 if bits == 16 else 255
    assert picture.alpha is not None
    values = [0, hidden * (full // white), full]
    assert picture.pixels[0, :, 0].tolist() == values
    assert picture.alpha[0, :, 0].tolist() == [0 if value == values[1] else full for value in values]
    write_picture(tmp_path / "b.png", picture)
    again = read_picture(tmp_path / "b.png")
    assert np.array_equal(again.with_alpha, picture.with_alpha)


def with_chunk(path: Path, name: bytes, content: bytes) -> None:
    whole = path.read_bytes()
    place = whole.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(whole[:place] + chunk + whole[place:])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        (b"bKGD", struct.pack(">HHH", 1, 2, 3), True),
        (b"vpAg", b"private, and safe to copy", True),
        (b"prVT", b"private, and not safe", False),
        (b"sBIT", b"\5\6\5", False),
        (b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5), False),
    ],
)
def test_a_png_keeps_what_stays_true_and_names_the_rest(
    tmp_path: Path, bits: int, name: bytes, content: bytes, kept: bool
) -> None:
    with_chunk(rich_png(tmp_path / "a.png", bits=bits), name, content)
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture)
    assert ((name, content) in list(png_chunks((tmp_path / "b.png").read_bytes()))) == kept
    said = [f"the PNG's {name.decode()}"]
    assert lost(".png", picture) == ([] if kept else said)
    assert lost(".bmp", picture)[-1:] == said


def test_a_background_of_a_table_of_colours_is_not_taken_for_one_of_colours(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).quantize(4).save(tmp_path / "a.png")
    with_chunk(tmp_path / "a.png", b"bKGD", b"\2")
    assert lost(".png", read_picture(tmp_path / "a.png")) == ["the PNG's bKGD"]
