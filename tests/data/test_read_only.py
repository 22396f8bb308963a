"""JPEG 2000 and AVIF, which are read with all of their bits or refused, and HEIC, which is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from cuello.core.errors import CuelloError
from cuello.data.folders import list_images
from cuello.data.picture import read_picture
from cuello.inference.files import apply
from cuello.inference.model import Model

LEVELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
jpeg_2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


@jpeg_2000
@pytest.mark.parametrize("ending", ["jp2", "j2k", "J2C"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_jpeg_2000_comes_with_every_value(tmp_path: Path, mode: str, ending: str) -> None:
    image = Image.fromarray(LEVELS.squeeze(), "RGBA").convert(mode)
    image.save(tmp_path / f"a.{ending}", format="JPEG2000", no_jp2=ending != "jp2")
    picture = read_picture(tmp_path / f"a.{ending}")
    assert np.array_equal(picture.with_alpha.squeeze(), np.asarray(image))


@jpeg_2000
def test_jpeg_2000_of_16_bits_keeps_them_and_of_others_is_refused(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (6, 5), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.jp2")
    assert np.array_equal(read_picture(tmp_path / "deep.jp2").pixels.squeeze(), deep)
    content = bytearray((tmp_path / "deep.jp2").read_bytes())
    place = content.find(b"\xff\x4f\xff\x51") + 42
    for bits, words in ((11, "12 bits"), (0x80 | 15, "16 signed bits"), (3, "4 bits")):
        content[place] = bits
        (tmp_path / "other.jp2").write_bytes(content)
        with pytest.raises(CuelloError, match=rf"other\.jp2: it holds values of {words}.*save it as PNG"):
            read_picture(tmp_path / "other.jp2")


@avif
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_avif_is_read_and_grey_stays_grey(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (16, 12), (200, 200, 200, 90)).convert(mode)
    image.save(tmp_path / "a.avif", quality=100)
    picture = read_picture(tmp_path / "a.avif")
    assert picture.with_alpha.shape == (12, 16, {"L": 1, "RGB": 3, "RGBA": 4}[mode])
    assert np.abs(picture.pixels.astype(int) - 200).max() <= 1
    content = (tmp_path / "a.avif").read_bytes()
    if mode == "RGB":
        flags = content.index(b"av1C") + 6
        (tmp_path / "deep.avif").write_bytes(content[:flags] + bytes([content[flags] | 0x40]) + content[flags + 1 :])
        with pytest.raises(CuelloError, match=r"deep\.avif: it holds more than 8 bits per colour"):
            read_picture(tmp_path / "deep.avif")
        (tmp_path / "grey.avif").write_bytes(content[:flags] + bytes([content[flags] | 0x10]) + content[flags + 1 :])
        assert read_picture(tmp_path / "grey.avif").pixels.shape == (12, 16, 1)


@pytest.mark.parametrize(("name", "word"), [("avif", "AVIF"), ("jpg_2000", "JPEG 2000")])
def test_what_the_installed_pillow_cannot_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    content = {"avif": b"\0\0\0\x14ftypavif\0\0\0\0avif", "jpg_2000": b"\xff\x4f\xff\x51" + bytes(60)}[name]
    monkeypatch.setattr(features, "check", lambda feature: feature != name)
    (tmp_path / "a.jp2").write_bytes(content)
    with pytest.raises(CuelloError, match=rf"it is {word}, which this Pillow cannot read"):
        read_picture(tmp_path / "a.jp2")


def test_heic_is_named_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(CuelloError, match=r"a\.jpg: it is HEIC, which is not read: convert it to PNG"):
        read_picture(tmp_path / "a.jpg")
    (tmp_path / "b.heic").write_bytes(b"x")
    assert list_images(tmp_path).notes()[0].endswith("(1 .heic): b.heic; HEIC is not read: convert such files to PNG")


@jpeg_2000
def test_results_become_png(model: Model, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "in/a.jp2")
    found = apply(model, tmp_path / "in", tmp_path / "out")
    assert (found.written, found.failed) == ([tmp_path / "out/a.png"], [])
    with pytest.raises(CuelloError, match=r"got the ending \.jp2, needed one of \.bmp, "):
        apply(model, tmp_path / "in/a.jp2", tmp_path / "b.jp2")
