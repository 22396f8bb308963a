"""Image files: what is read comes back when it is written; what cannot be read is named with the remedy."""

import errno
import os
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from cuello.core.errors import CuelloError
from cuello.data.levels import UnfitError, checked_float
from cuello.data.picture import (
    StoredImage,
    as_channels,
    fitted,
    from_pillow,
    read_picture,
    resized,
    write_picture,
    written_path,
)

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [".png", ".bmp", ".webp", ".tif"]
UNREADABLE = "is not an image.*Convert it, or remove it"
SIX: Any = {"photometric": "minisblack", "planarconfig": "contig"}


def full(*arguments) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def exif_bytes() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker of the camera"
    return exif.tobytes()


def levels(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def pillow_image(mode: str) -> Image.Image:
    """A random image of odd size in one of Pillow's modes."""
    height, width = 9, 7
    if mode == "1":
        return Image.fromarray(levels(height, width)).point([0] * 128 + [255] * 128, mode="1")
    if mode == "P":
        image = Image.fromarray(levels(height, width) % 11, mode=None)
        image.putpalette(levels(11 * 3, seed=1).tobytes())
        return image
    if mode == "I;16":
        return Image.fromarray(levels(height, width, dtype=np.uint16))
    if mode == "CMYK":
        return Image.frombytes("CMYK", (width, height), levels(height, width, 4).tobytes())
    bands = len(Image.getmodebands(mode) * "x")
    pixels = levels(height, width, bands)
    return Image.fromarray(pixels.squeeze(-1) if bands == 1 else pixels)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_claiming(width: int, height: int, depth: int, colour_type: int) -> bytes:
    """A PNG whose header promises a size, with a few bytes of data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + png_chunk(b"IEND", b"")


class TestReading:
    """Every mode in every format that holds it; Pillow writes, and its pixels are the reference."""

    @pytest.mark.parametrize(
        ("mode", "suffix"),
        [
            ("1", ".png"), ("1", ".tif"), ("1", ".bmp"), ("1", ".gif"),
            ("L", ".png"), ("L", ".tif"), ("L", ".bmp"),
            ("LA", ".png"), ("LA", ".tif"),
            ("P", ".png"), ("P", ".tif"), ("P", ".bmp"), ("P", ".gif"),
            ("RGB", ".png"), ("RGB", ".tif"), ("RGB", ".bmp"), ("RGB", ".webp"), ("RGB", ".tiff"),
            ("RGBA", ".png"), ("RGBA", ".tif"), ("RGBA", ".webp"),
            ("CMYK", ".tif"),
            ("I;16", ".png"), ("I;16", ".tif"),
        ],
    )  # fmt: skip
    def test_pixels_are_those_that_were_saved(self, tmp_path, mode, suffix):
        image = pillow_image(mode)
        assert image.mode == mode
        path = tmp_path / f"a{suffix}"
        image.save(path, lossless=True, exact=True)  # what WebP needs, and others do not look at
        picture = read_picture(path)
        plain = str({"1": "L", "P": "RGB", "CMYK": "RGB"}.get(mode, mode))
        expected = np.asarray(image.convert(plain) if plain != mode else image)
        expected = expected.reshape(*expected.shape[:2], -1)
        colours = 3 if plain.startswith("RGB") else 1
        np.testing.assert_array_equal(picture.pixels, expected[:, :, :colours])
        assert picture.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
        if mode.endswith("A"):
            np.testing.assert_array_equal(np.asarray(picture.alpha), expected[:, :, colours:])
        else:
            assert picture.alpha is None

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_jpeg_is_what_its_decoder_gives(self, tmp_path, mode):
        pillow_image(mode).save(tmp_path / "a.jpg", quality=90)
        with Image.open(tmp_path / "a.jpg") as image:
            assert image.mode == mode
            expected = np.asarray(image if mode != "CMYK" else image.convert("RGB"))
        picture = read_picture(tmp_path / "a.jpg")
        np.testing.assert_array_equal(picture.pixels, expected.reshape(9, 7, -1))
        assert picture.mode == mode

    @pytest.mark.parametrize("suffix", [".png", ".gif"])
    def test_a_palettes_transparency_is_alpha(self, tmp_path, suffix):
        image = pillow_image("P")
        image.save(tmp_path / f"a{suffix}", transparency=4)
        picture = read_picture(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(np.asarray(picture.alpha)[:, :, 0], np.where(np.asarray(image) == 4, 0, 255))
        np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize("mode", ["1", "L", "RGB"])
    def test_a_transparent_colour_is_alpha(self, tmp_path, mode):
        image = pillow_image(mode)
        pixels = np.asarray(image.convert("L") if mode == "1" else image)
        colour = 0 if mode == "1" else tuple(map(int, pixels[2, 3])) if mode == "RGB" else int(pixels[2, 3])
        image.save(tmp_path / "a.png", transparency=colour)
        picture = read_picture(tmp_path / "a.png")
        expected = pixels == colour if mode != "RGB" else (pixels == colour).all(-1)
        assert expected.any()
        np.testing.assert_array_equal(np.asarray(picture.alpha)[:, :, 0], np.where(expected, 0, 255))
        again = tmp_path / "again.png"
        write_picture(again, picture)
        np.testing.assert_array_equal(read_picture(again).pixels, picture.pixels)
        np.testing.assert_array_equal(read_picture(again).alpha, picture.alpha)  # type: ignore[arg-type]

    @pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
    def test_an_animation_is_not_one_picture(self, tmp_path, suffix):
        first, second = Image.new("RGB", (6, 5), (255, 0, 0)), Image.new("RGB", (6, 5), (0, 0, 255))
        first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], lossless=True)
        with pytest.raises(CuelloError, match="it is an animation, and one picture is needed"):
            read_picture(tmp_path / f"a{suffix}")

    @pytest.mark.parametrize("planes", [2, 3, 4])
    @pytest.mark.parametrize("interlace", [False, True])
    def test_16_bit_png_keeps_every_bit(self, tmp_path, planes, interlace):
        import png

        pixels = levels(9, 7, planes, dtype=np.uint16)
        with open(tmp_path / "a.png", "wb") as file:
            writer = png.Writer(7, 9, bitdepth=16, greyscale=planes == 2, alpha=planes in (2, 4), interlace=interlace)
            writer.write(file, pixels.reshape(9, -1).tolist())
        picture = read_picture(tmp_path / "a.png")
        colours = 1 if planes == 2 else 3
        np.testing.assert_array_equal(picture.pixels, pixels[:, :, :colours])
        if planes == 3:
            assert picture.alpha is None
        else:
            np.testing.assert_array_equal(np.asarray(picture.alpha), pixels[:, :, colours:])

    @pytest.mark.parametrize("planar", ["contig", "separate"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_tiff_of_every_depth_and_layout(self, tmp_path, planar, dtype):
        pixels = levels(9, 7, 3, dtype=np.uint16 if dtype == np.float32 else dtype)
        pixels = (pixels / 65535).astype(np.float32) if dtype == np.float32 else pixels
        stored = np.moveaxis(pixels, -1, 0) if planar == "separate" else pixels
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
        picture = read_picture(tmp_path / "a.tif")
        np.testing.assert_array_equal(picture.pixels, pixels)
        assert picture.pixels.dtype == dtype

    @pytest.mark.parametrize("dtype", [np.float16, np.float64])
    def test_other_floats_become_float32(self, tmp_path, dtype):
        pixels = np.linspace(0, 1, 63).reshape(9, 7).astype(dtype)
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        picture = read_picture(tmp_path / "a.tif")
        np.testing.assert_array_equal(picture.pixels[:, :, 0], pixels.astype(np.float32))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_a_tiff_in_which_white_is_zero_is_turned_round(self, tmp_path, dtype):
        pixels = levels(9, 7, dtype=dtype)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
        np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels[:, :, 0], np.iinfo(dtype).max - pixels)

    def test_32_bit_whole_numbers_are_16_bits_if_they_fit(self):
        pixels = levels(9, 7, dtype=np.uint16).astype(np.int32)
        picture = from_pillow(Image.fromarray(pixels))
        np.testing.assert_array_equal(picture.pixels[:, :, 0], pixels)
        assert picture.pixels.dtype == np.uint16
        with pytest.raises(UnfitError, match=r"type int32; save it with 8 or 16 bits.*range='0\.\.131071'"):
            fitted(from_pillow(Image.fromarray(pixels + 65_536)), None)

    def test_a_grey_gif_has_a_palette_and_so_three_equal_channels(self, tmp_path):
        image = pillow_image("L")
        image.save(tmp_path / "a.gif")
        picture = read_picture(tmp_path / "a.gif")
        np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))

    def test_the_content_counts_not_the_ending(self, tmp_path):
        pillow_image("RGB").save(tmp_path / "really.png")
        (tmp_path / "really.png").rename(tmp_path / "a.bmp")
        np.testing.assert_array_equal(read_picture(tmp_path / "a.bmp").pixels, np.asarray(pillow_image("RGB")))


class TestRoundTrip:
    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(LOSSLESS), st.sampled_from([1, 3]), st.booleans(),
        st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000),
    )  # fmt: skip
    def test_8_bits_of_any_size(self, suffix, colours, with_alpha, height, width, seed):
        pixels = levels(height, width, colours, seed=seed)
        alpha = levels(height, width, 1, seed=seed + 1) if with_alpha and suffix != ".bmp" else None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            write_picture(path, StoredImage(pixels, alpha))
            picture = read_picture(path)
        if suffix == ".webp" and colours == 1:  # WebP knows no grey: three equal channels
            pixels = pixels.repeat(3, axis=2)
        np.testing.assert_array_equal(picture.pixels, pixels)
        if suffix == ".webp" and alpha is not None and (alpha == 255).all():
            assert picture.alpha is None or (picture.alpha == 255).all()
        elif alpha is None:
            assert picture.alpha is None
        else:
            np.testing.assert_array_equal(np.asarray(picture.alpha), alpha)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from([".png", ".tif"]), st.sampled_from([np.uint16, np.float32]), st.sampled_from([1, 3]),
        st.booleans(), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000),
    )  # fmt: skip
    def test_16_bits_and_floats_of_any_size(self, suffix, dtype, colours, with_alpha, height, width, seed):
        suffix = ".tif" if dtype == np.float32 else suffix
        both = levels(height, width, colours + with_alpha, seed=seed, dtype=np.uint16)
        both = (both / 65535).astype(np.float32) if dtype == np.float32 else both
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            write_picture(path, StoredImage(both[:, :, :colours], both[:, :, colours:] if with_alpha else None))
            picture = read_picture(path)
        assert picture.pixels.dtype == dtype
        np.testing.assert_array_equal(picture.pixels, both[:, :, :colours])
        assert (picture.alpha is not None) == with_alpha
        if with_alpha:
            np.testing.assert_array_equal(np.asarray(picture.alpha), both[:, :, colours:])

    @pytest.mark.parametrize(
        ("suffix", "dtype", "kept"),
        [(".png", np.uint8, {"icc", "exif", "dpi"}), (".png", np.uint16, {"icc", "exif", "dpi"}),
         (".jpg", np.uint8, {"icc", "exif", "dpi"}), (".webp", np.uint8, {"icc", "exif"}),
         (".tif", np.uint8, {"icc", "dpi"}), (".tif", np.uint16, {"icc", "dpi"}), (".bmp", np.uint8, {"dpi"})],
    )  # fmt: skip
    @pytest.mark.parametrize("channels", [1, 3])
    def test_profile_exif_and_resolution_where_the_format_holds_them(self, tmp_path, suffix, dtype, kept, channels):
        first = StoredImage(levels(9, 7, channels, dtype=dtype), icc_profile=ICC, exif=exif_bytes(), dpi=(300, 150))
        write_picture(tmp_path / f"a{suffix}", first)
        second = read_picture(tmp_path / f"a{suffix}")
        write_picture(tmp_path / f"b{suffix}", second)
        for picture in (second, read_picture(tmp_path / f"b{suffix}")):
            assert picture.icc_profile == (ICC if "icc" in kept else None)
            if "exif" in kept:
                assert picture.exif is not None
                assert b"Maker of the camera" in picture.exif
            assert picture.dpi == (pytest.approx((300, 150), abs=0.02) if "dpi" in kept else None)

    def test_another_program_reads_the_profile_and_exif_of_a_16_bit_png(self, tmp_path):
        write_picture(
            tmp_path / "a.png", StoredImage(levels(9, 7, 3, dtype=np.uint16), icc_profile=ICC, exif=exif_bytes())
        )
        with Image.open(tmp_path / "a.png") as image:
            assert image.info["icc_profile"] == ICC
            assert image.getexif()[0x010F] == "Maker of the camera"

    @pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
    def test_colours_that_are_fully_transparent_are_kept_too(self, tmp_path, suffix):
        pixels, alpha = levels(9, 7, 3), levels(9, 7, 1, seed=1) // 128 * 255
        write_picture(tmp_path / f"a{suffix}", StoredImage(pixels, alpha))
        np.testing.assert_array_equal(read_picture(tmp_path / f"a{suffix}").pixels, pixels)

    def test_cmyk_loses_the_profile_of_its_inks(self, tmp_path):
        pillow_image("CMYK").save(tmp_path / "a.tif", icc_profile=ICC)
        assert read_picture(tmp_path / "a.tif").icc_profile is None

    def test_jpeg_stays_close(self, tmp_path):
        ramp = np.linspace(0, 255, 64).astype(np.uint8)
        pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(128)), axis=2)
        write_picture(tmp_path / "a.jpg", StoredImage(pixels))
        assert np.abs(read_picture(tmp_path / "a.jpg").pixels.astype(int) - pixels).max() <= 4

    @pytest.mark.parametrize("suffix", [".png", ".bmp"])
    def test_two_levels_stay_two_levels(self, tmp_path, suffix):
        pillow_image("1").save(tmp_path / f"a{suffix}")
        picture = read_picture(tmp_path / f"a{suffix}")
        almost = np.where(picture.pixels == 255, 200, 40).astype(np.uint8)  # as a network might give them
        write_picture(tmp_path / f"b{suffix}", StoredImage(almost, mode=picture.mode))
        with Image.open(tmp_path / f"b{suffix}") as image:
            assert image.mode == "1"
        np.testing.assert_array_equal(read_picture(tmp_path / f"b{suffix}").pixels, picture.pixels)

    def test_a_picture_of_two_levels_can_become_colour(self, tmp_path):
        pillow_image("1").save(tmp_path / "a.png")
        picture = as_channels(read_picture(tmp_path / "a.png"), 3)
        write_picture(tmp_path / "b.png", picture)
        np.testing.assert_array_equal(read_picture(tmp_path / "b.png").pixels, picture.pixels)


class TestBadFiles:
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".gif"])
    def test_what_is_not_an_image(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        path.write_text("hello, I am a text")
        with pytest.raises(CuelloError, match=f"{UNREADABLE}|is damaged.*Copy it again") as caught:
            read_picture(path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (Path.touch, r"is empty \(0 bytes\)\. Remove it, or copy it again"),
            (Path.mkdir, "is a folder, not an image; give the images in it"),
            (lambda path: None, "could not be read: No such file or directory"),
            (lambda path: tifffile.imwrite(path, levels(8, 9, 4, dtype=np.uint16), photometric="separated"),
             "its colours are of kind 5 .*; save it as RGB or grey"),
            (lambda path: Image.frombytes("LAB", (7, 9), levels(9, 7, 3).tobytes()).save(path),
             "its colours are stored as LAB; save it as RGB"),
        ],
        ids=["empty", "folder", "missing", "16-bit CMYK is not transparency", "LAB is not damaged"],
    )  # fmt: skip
    def test_what_cannot_be_read_says_why(self, tmp_path, make, words):
        make(tmp_path / "a.tif")
        with pytest.raises(CuelloError, match=rf"a\.tif:? {words}"):
            read_picture(tmp_path / "a.tif")

    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch):
        def refuse(path: Path) -> bytes:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(CuelloError, match=r"a\.png could not be read: Permission denied"):
            read_picture(tmp_path / "a.png")

    @pytest.mark.parametrize(
        ("suffix", "dtype"),
        [(".png", np.uint8), (".png", np.uint16), (".jpg", np.uint8), (".tif", np.uint8), (".tif", np.uint16),
         (".tif", np.float32), (".webp", np.uint8), (".bmp", np.uint8), (".gif", np.uint8)],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_a_file_cut_short_anywhere_is_an_error_that_names_it(self, tmp_path, suffix, dtype):
        pixels = np.random.default_rng(0).random((24, 24, 3))
        pixels = pixels.astype(np.float32) if dtype == np.float32 else (pixels * np.iinfo(dtype).max).astype(dtype)
        whole = tmp_path / f"whole{suffix}"
        write_picture(whole, StoredImage(pixels))
        content = whole.read_bytes()
        path = tmp_path / f"cut{suffix}"
        # The last bytes of JPEG and GIF are their end marks: without them the pixels are whole.
        for length in [*range(1, 80, 3), *range(80, len(content) - 40, len(content) // 30)]:
            path.write_bytes(content[:length])
            with pytest.raises(CuelloError, match=r"Copy it again|Convert it, or remove it") as caught:
                read_picture(path)
            assert str(path) in str(caught.value)

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    @pytest.mark.filterwarnings("ignore")
    def test_a_damaged_file_gives_a_picture_or_a_message_and_nothing_else(self, data):
        suffix = data.draw(st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".gif"]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            write_picture(path, StoredImage(levels(8, 8, 3)))
            content = bytearray(path.read_bytes())
            for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
                content[position] = data.draw(st.integers(0, 255))
            path.write_bytes(content)
            told = ""
            try:
                picture = read_picture(path)
            except CuelloError as error:
                told, picture = str(error), None
            if picture is None:
                assert str(path) in told
            else:
                assert picture.pixels.ndim == 3
                assert picture.pixels.shape[2] in (1, 3)

    @pytest.mark.parametrize(("depth", "colour_type"), [(1, 0), (8, 0), (8, 2), (8, 6), (16, 0), (16, 2), (16, 6)])
    @pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (2_000_000_000, 2_000_000_000)])
    def test_a_decompression_bomb_is_refused_before_it_takes_memory(self, tmp_path, depth, colour_type, width, height):
        path = tmp_path / "bomb.png"
        path.write_bytes(png_claiming(width, height, depth, colour_type))
        self.check_refused(path)

    @staticmethod
    def check_refused(path: Path) -> None:
        tracemalloc.start()
        try:
            with pytest.raises(CuelloError, match=r"claims more than 179 million.*into smaller images") as caught:
                read_picture(path)
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()
        assert str(path) in str(caught.value)

    def test_a_tiff_bomb_is_refused_before_it_takes_memory(self, tmp_path):
        path = tmp_path / "bomb.tif"
        write_picture(path, StoredImage(levels(8, 8, 1, dtype=np.uint16)))
        content = path.read_bytes()
        # The tags ImageWidth (256) and ImageLength (257), whichever whole-number type they have.
        with tifffile.TiffFile(path) as file:
            places = [file.pages.first.tags[code].valueoffset for code in (256, 257)]  # type: ignore[union-attr]
        for place in places:
            content = content[:place] + struct.pack("<H", 60_000) + content[place + 2 :]
        path.write_bytes(content)
        self.check_refused(path)

    @pytest.mark.parametrize(
        ("pixels", "words"),
        [
            (np.array([[0.5, np.nan], [np.inf, 0]], np.float32), "holds 2 values that are not numbers"),
            (np.array([[0.5, 2], [-1, 0]], np.float32), "floats from -1 to 2; needed 0 to 1: subtract the minimum"),
            (np.zeros((4, 4), np.int16), "pixels of type int16; save it with 8 or 16 bits"),
            (np.zeros((4, 4), np.uint32), "pixels of type uint32; save it with 8 or 16 bits"),
        ],
    )
    def test_values_that_are_no_brightness_say_what_to_do(self, tmp_path, pixels, words):
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        with pytest.raises(CuelloError) as caught:
            read_picture(tmp_path / "a.tif")
        assert str(caught.value).startswith(f"{tmp_path / 'a.tif'}: ")
        assert words in str(caught.value)
        assert "damaged" not in str(caught.value)


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "picture", "words"),
        [
            ("a.jpg", StoredImage(levels(4, 4, 3), levels(4, 4, 1)), ".jpg cannot hold transparency; use .png"),
            ("a.bmp", StoredImage(levels(4, 4, 3), levels(4, 4, 1)), ".bmp cannot hold transparency; use .png"),
            (
                "a.jpg",
                StoredImage(levels(4, 4, 3, dtype=np.uint16)),
                "holds 8 bits per channel only, and the image has uint16",
            ),
            (
                "a.png",
                StoredImage(np.zeros((4, 4, 1), np.float32)),
                "holds 8 or 16 bits, and the image has float32; use .tif",
            ),
            ("a.xyz", StoredImage(levels(4, 4, 3)), "no image format has the ending '.xyz'; use .png"),
            ("a", StoredImage(levels(4, 4, 3)), "has the ending '(none)'; use .png"),
        ],
    )
    def test_what_a_format_cannot_hold(self, tmp_path, name, picture, words):
        with pytest.raises(CuelloError) as caught:
            write_picture(tmp_path / name, picture)
        assert str(tmp_path / name) in str(caught.value)
        assert words in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
    def test_a_full_disk_leaves_the_old_image(self, tmp_path, monkeypatch, suffix):
        self.fill_disk(tmp_path / f"a{suffix}", lambda: monkeypatch.setattr(os, "replace", full))

    def test_a_full_disk_within_the_encoder_leaves_the_old_image(self, tmp_path, monkeypatch):
        def half(image: Image.Image, target: Path, **options) -> None:
            Path(target).write_bytes(b"\x89PNG")
            full()

        self.fill_disk(tmp_path / "a.png", lambda: monkeypatch.setattr(Image.Image, "save", half))

    @staticmethod
    def fill_disk(path: Path, fill: Callable[[], None]) -> None:
        write_picture(path, StoredImage(levels(6, 5, 3)))
        before = path.read_bytes()
        fill()
        with pytest.raises(CuelloError, match=r"no space left for .*Free some space"):
            write_picture(path, StoredImage(levels(6, 5, 3, seed=1)))
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_only_gif_changes_its_name(self):
        assert written_path(Path("in/A.GIF")) == Path("in/A.png")
        assert written_path(Path("in/a.webp")) == Path("in/a.webp")


class TestChannels:
    def test_luma_by_hand(self):
        # 0.299 · 255 = 76.245; 0.587 · 255 = 149.685; 0.114 · 255 = 29.07; and white stays white.
        pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
        grey = as_channels(StoredImage(pixels), 1).pixels
        assert grey[:, :, 0].tolist() == [[76, 150, 29, 255]]
        assert grey.dtype == np.uint8

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_grey_to_colour_and_back_is_the_same(self, dtype, seed):
        picture = StoredImage(levels(5, 6, 1, seed=seed, dtype=dtype))
        colour = as_channels(picture, 3)
        assert colour.pixels.shape == (5, 6, 3)
        np.testing.assert_array_equal(as_channels(colour, 1).pixels, picture.pixels)

    def test_nothing_changes_where_nothing_has_to(self):
        picture = StoredImage(levels(5, 6, 3), levels(5, 6, 1))
        assert as_channels(picture, 3) is picture
        assert as_channels(picture, 1).alpha is picture.alpha

    def test_luma_is_pillows(self):
        image = pillow_image("RGB")
        grey = as_channels(StoredImage(np.asarray(image)), 1).pixels[:, :, 0].astype(int)
        assert np.abs(grey - np.asarray(image.convert("L"))).max() <= 1


class TestResized:
    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from([np.uint8, np.uint16, np.float32]), st.sampled_from([1, 3]),
        st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20),
    )  # fmt: skip
    def test_shape_type_and_range(self, dtype, channels, height, width, new_height, new_width):
        pixels = levels(height, width, channels, dtype=np.uint16 if dtype == np.float32 else dtype)
        pixels = (pixels / 65535).astype(np.float32) if dtype == np.float32 else pixels
        small = resized(pixels, (new_width, new_height))
        assert small.shape == (new_height, new_width, channels)
        assert small.dtype == dtype
        assert small.min() >= 0
        assert small.max() <= (1 if dtype == np.float32 else np.iinfo(dtype).max)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_one_level_stays_it(self, dtype):
        flat = np.full((9, 7, 3), 0.25 if dtype == np.float32 else 60, dtype)
        np.testing.assert_allclose(resized(flat, (5, 13)), np.full((13, 5, 3), flat.flat[0]), atol=1e-6)

    def test_the_same_size_is_the_same_image(self):
        pixels = levels(9, 7, 3)
        assert resized(pixels, (7, 9)) is pixels

    def test_depths_agree(self):
        pixels = levels(20, 17, 3)
        small = resized(pixels, (8, 9)).astype(float)
        np.testing.assert_allclose(resized(pixels.astype(np.uint16) * 257, (8, 9)) / 257, small, atol=1)
        np.testing.assert_allclose(resized((pixels / 255).astype(np.float32), (8, 9)) * 255, small, atol=1)


def test_checked_float_accepts_the_closed_interval_only():
    assert checked_float(np.array([0.0, 1.0]), "it").dtype == np.float32
    for wrong in (-1e-6, 1 + 1e-6, np.nan, np.inf):
        with pytest.raises(ValueError, match="it holds"):
            checked_float(np.array([0.5, wrong]), "it")
