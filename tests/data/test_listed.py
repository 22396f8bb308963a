"""Checksums of files, of what is packed in them and of their pixels; photographs that are made smaller here."""

import gzip
import hashlib
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest
from PIL import Image

from cuello.core.errors import CuelloError, Fault
from cuello.data.catalog import CATALOG, locate, open_dataset
from cuello.data.listed import Original, RemoteFile, checked, digest_of, made_smaller, photographers_table

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def halved(pixels: np.ndarray) -> np.ndarray:
    """Half the size, by Pillow itself: that the right pixels come is what the checksums of the catalogue hold."""
    size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def file_of(pixels: np.ndarray, source: bytes) -> RemoteFile:
    """A photograph ``pixels``, made from ``source``."""
    height, width = pixels.shape[:2]
    original = Original(hashlib.sha256(source).hexdigest(), width, height)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return RemoteFile("a.png", digest, "https://127.0.0.1:9/A.jpg", original=original)


class TestChecked:
    def test_a_packed_and_an_unpacked_file_have_one_checksum(self, tmp_path):
        file = RemoteFile("a", hashlib.sha256(b"content").hexdigest(), "")
        for name, content in (("plain", b"content"), ("packed", gzip.compress(b"content", mtime=0))):
            (tmp_path / name).write_bytes(content)
            assert checked(tmp_path / name, file) == tmp_path / name

    @pytest.mark.parametrize(
        "content",
        [b"other", b"", b"\x1f\x8b", gzip.compress(b"content", mtime=0)[:-9], gzip.compress(b"other", mtime=0)],
    )
    def test_anything_else_is_refused(self, tmp_path, content):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(CuelloError, match=r"a is not the file it should be: .* Remove it"):
            checked(tmp_path / "a", RemoteFile("a", hashlib.sha256(b"content").hexdigest(), ""))

    def test_a_photograph_that_is_made_here_is_known_by_its_pixels(self, tmp_path):
        file = file_of(PIXELS, b"")
        for level in (0, 9):
            (tmp_path / "a.png").write_bytes(encoded(PIXELS, compress_level=level))
            assert checked(tmp_path / "a.png", file) == tmp_path / "a.png"

    @pytest.mark.parametrize(
        "content",
        [
            encoded(PIXELS[:, :, 0]),
            encoded(PIXELS[:-1]),
            encoded(PIXELS.reshape(20, 12, 3)),
            encoded(PIXELS ^ 1),
            encoded(PIXELS, "JPEG"),
            PIXELS.tobytes()[:-1],
            b"",
        ],
        ids=["grey", "a row less", "another shape", "other values", "JPEG", "no picture", "empty"],
    )
    def test_other_pixels_are_refused(self, tmp_path, content):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(CuelloError, match=r"a\.png is not the file it should be"):
            checked(tmp_path / "a.png", file_of(PIXELS, b""))

    def test_a_damaged_picture_is_never_an_exception_of_its_reader(self):
        file, whole = file_of(PIXELS, b""), encoded(PIXELS)
        for place in range(len(whole)):
            for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]):
                assert re.fullmatch(r"[0-9a-f]{64}", digest_of(damaged, file))


class TestMadeSmaller:
    def test_it_is_made_once_and_made_again_where_it_was_damaged(self, tmp_path):
        source = encoded(PIXELS)
        (tmp_path / "A.png").write_bytes(source)
        file = file_of(halved(PIXELS), source)
        path = made_smaller(tmp_path / "A.png", file, tmp_path / "a_small.png")
        np.testing.assert_array_equal(np.asarray(Image.open(path)), halved(PIXELS))
        before = path.stat().st_mtime_ns
        assert made_smaller(tmp_path / "A.png", file, path) == path
        assert path.stat().st_mtime_ns == before
        path.write_bytes(path.read_bytes()[:-30])
        made_smaller(tmp_path / "A.png", file, path)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), halved(PIXELS))
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["A.png", "a_small.png"]

    def test_other_pixels_than_promised_are_no_file(self, tmp_path):
        source = encoded(PIXELS)
        (tmp_path / "A.png").write_bytes(source)
        with pytest.raises(Fault, match=r"comes out of .*A\.png with other pixels than it should.*set CUELLO_DATA"):
            made_smaller(tmp_path / "A.png", file_of(halved(PIXELS) ^ 1, source), tmp_path / "a.png")
        assert not (tmp_path / "a.png").exists()

    def test_what_is_fetched_is_the_original_and_what_is_opened_the_small_one(self, tmp_path, monkeypatch):
        source = encoded(PIXELS)
        file = file_of(halved(PIXELS), source)
        asked = []

        def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
            asked.append((url, known_hash, fname))
            path.mkdir(parents=True, exist_ok=True)
            (path / fname).write_bytes(source)
            return str(path / fname)

        monkeypatch.setattr(pooch, "retrieve", retrieve)
        monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("CUELLO_DATA", raising=False)
        spec = replace(CATALOG["open-photos"], files=lambda: [file])
        assert locate(spec, file) == tmp_path / "cache" / "open-photos" / "a.png"
        assert asked == [(file.url, f"sha256:{hashlib.sha256(source).hexdigest()}", "A.jpg")]
        np.testing.assert_array_equal(open_dataset(spec).read(0).pixels, halved(PIXELS))


class TestPhotographers:
    def test_every_photograph_says_whose_it_is(self):
        files = photographers_table("open-photos")()
        assert [file.name for file in files] == sorted(file.name for file in files)
        assert {file.licence for file in files} == {"released for unrestricted use", "CC-BY-4.0", "CC0-1.0"}
        for file in files:
            assert file.author.strip() == file.author != ""
            named = file.name.partition("_by_")[2].removesuffix(".png").split("_")[-1]
            if named not in ("", "freespace"):
                assert file.author.split()[-1].lower() == named

    def test_kodaks_are_used_as_they_are_and_the_others_made_smaller(self):
        for file in photographers_table("open-photos")():
            assert (file.original is None) == file.name.startswith("kodak_") == (file.author == "Eastman Kodak Company")
            if file.original is not None:
                assert re.fullmatch(r"[0-9a-f]{64}", file.original.sha256)
                assert max(file.original.width, file.original.height) <= 1286
