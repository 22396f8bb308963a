"""Pillow images and arrays of every kind: the same kind back, with the values of the plain way; nothing clipped."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageSequence

import cuello
from cuello import CuelloError
from cuello.inference.arrays import stacked
from cuello.inference.model import Model

MakeImage = Callable[..., np.ndarray]


@pytest.fixture
def colours(make_image: MakeImage) -> np.ndarray:
    return make_image(0, 12, 14)


@pytest.fixture
def grey(make_image: MakeImage) -> np.ndarray:
    return make_image(1, 12, 14, channels=1)[..., 0]


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N", "I", "F"])
def test_deep_modes_come_back_with_every_bit(model: Model, grey: np.ndarray, mode: str) -> None:
    deep = grey.astype(np.uint16) * 256 + 131
    plain: np.ndarray = deep / np.float32(65535) if mode == "F" else deep
    order = ">u2" if mode == "I;16B" else "<u2"
    image = (
        Image.frombytes(mode, (14, 12), deep.astype(order).tobytes())
        if mode.startswith("I;16")
        else Image.fromarray(plain.astype(np.float32 if mode == "F" else np.int32))
    )
    result = model(image)
    assert result.mode == mode
    assert np.array_equal(np.asarray(result).astype(plain.dtype), model(plain))


def test_two_levels_stay_two(model: Model, grey: np.ndarray) -> None:
    image = Image.fromarray(grey > 128)
    result = model(image)
    assert (image.mode, result.mode) == ("1", "1")
    expected = model((grey > 128).astype(np.uint8) * 255) > 127
    assert np.array_equal(np.asarray(result), expected)
    assert np.array_equal(model(grey > 128), expected)  # an array of bool


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_colours_are_divided_and_multiplied_again(
    model: Model, colours: np.ndarray, grey: np.ndarray, mode: str
) -> None:
    plain = Image.fromarray(np.dstack([colours if mode == "RGBa" else grey, (grey // 2 + 100)]))
    result = model(plain.convert(mode))
    assert result.mode == mode
    again = plain.convert(mode).convert(plain.mode)  # what 8 bits keep of it
    difference = ImageChops.difference(result.convert(plain.mode), model(again))
    assert np.asarray(difference).max() <= 2
    assert np.array_equal(np.asarray(result)[..., -1], np.asarray(plain)[..., -1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_on_its_side_comes_upright_and_says_so(
    model: Model, tmp_path: Any, colours: np.ndarray, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    Image.fromarray(colours).save(tmp_path / "a.png", exif=exif, dpi=(300, 300))
    with Image.open(tmp_path / "a.png") as image:
        result = model(image)
        assert np.array_equal(np.asarray(result), model(np.asarray(ImageOps.exif_transpose(image))))
    assert result.getexif().get(0x0112, 1) == 1
    assert result.getexif()[0x010F] == "Maker"
    assert result.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_a_larger_image_has_more_pixels_an_inch(colours: np.ndarray) -> None:
    larger = cuello.load("upscale-x2")
    image = Image.fromarray(colours)
    image.info["dpi"] = (72, 72)
    assert larger(image).info["dpi"] == (144, 144)


def test_an_animation_is_refused_with_the_way_to_do_it(model: Model, tmp_path: Any, colours: np.ndarray) -> None:
    frames = [Image.fromarray(np.roll(colours, k, axis=0)) for k in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.png") as image:
        with pytest.raises(CuelloError, match=r"3 frames.*image.copy\(\).*ImageSequence"):
            model(image)
        results = model([frame.copy() for frame in ImageSequence.Iterator(image)])
    for one, frame in zip(results, frames, strict=True):
        assert np.array_equal(np.asarray(one), model(np.asarray(frame)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", ">f4", "<f8", "float16"])
@pytest.mark.parametrize("how", ["negative", "strided", "read-only", "fortran"])
def test_arrays_of_any_layout_give_what_plain_ones_give(
    model: Model, colours: np.ndarray, dtype: str, how: str
) -> None:
    kind = np.dtype(dtype)
    plain = (colours / 255).astype(kind) if kind.kind == "f" else (colours * kind.type(255 if kind.itemsize > 1 else 1))
    plain = np.ascontiguousarray(plain.astype(kind))
    if how == "negative":
        image = plain[::-1, ::-1].copy()[::-1, ::-1]
    elif how == "strided":
        image = plain.repeat(2, axis=1)[:, ::2]
    elif how == "fortran":
        image = np.asfortranarray(plain)
    else:
        image = plain.copy()
        image.flags.writeable = False
    before = image.copy()
    result = model(image)
    assert result.dtype == kind
    assert np.array_equal(result, model(plain.astype(kind.newbyteorder("="))))
    assert np.array_equal(image, before)


def test_channels_first_are_said(model: Model, colours: np.ndarray) -> None:
    with pytest.warns(UserWarning, match=r"taken for 3 grey images.*transpose\(1, 2, 0\)"):
        model(np.moveaxis(colours, -1, 0))


def test_grey_with_transparency_is_one_image(model: Model, grey: np.ndarray) -> None:
    both = np.dstack([grey, grey // 2 + 1])
    assert np.array_equal(model(both)[..., 0], model(grey))
    assert np.array_equal(model(both)[..., 1], both[..., 1])


def test_sixteen_bits_of_a_pillow_image_are_not_clipped_for_codes_and_classes() -> None:
    deep = np.arange(6, dtype=np.uint16).reshape(2, 3) * 13_107
    tensor = stacked(Image.fromarray(deep), 1)
    assert np.allclose(tensor[0, 0].numpy(), np.arange(6).reshape(2, 3) / 5, atol=1e-6)


def test_inks_with_a_profile_that_is_for_other_colours_become_rgb_by_the_plain_formula(model: Model) -> None:
    image = Image.new("CMYK", (8, 8), (10, 20, 30, 40))
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    result = model(image)
    plain = np.full((8, 8, 3), [round((255 - ink) * 215 / 255) for ink in (10, 20, 30)], np.uint8)
    assert np.array_equal(np.asarray(result), model(plain))
    assert "icc_profile" not in result.info
