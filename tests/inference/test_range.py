"""Values that are small beside the white of their type: the network works within their own range."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage import data

import cuello
from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.images import load_images
from cuello.data.levels import Levels
from cuello.inference.files import apply
from cuello.inference.model import Model, load
from cuello.runs.directory import Run

CLEAN = data.camera()[200:296, 150:246] / 255


@pytest.fixture(scope="module")
def denoise() -> Model:
    return load("denoise")


def noisy(sigma: float = 25 / 255) -> np.ndarray:
    return (CLEAN + np.random.default_rng(0).normal(0, sigma, CLEAN.shape)).clip(0, 1)


def psnr(found: np.ndarray, of: np.ndarray = CLEAN) -> float:
    return float(10 * np.log10(1 / np.mean((found - of) ** 2)))


@pytest.mark.parametrize("bits", [6, 8, 10, 12])
def test_few_bits_in_sixteen_are_denoised_as_sixteen_are(denoise: Model, bits: int) -> None:
    whole = psnr(denoise((noisy() * 65_535).round().astype(np.uint16)) / 65_535)
    top = 2**bits - 1
    with pytest.warns(UserWarning, match=r"less than a tenth of .* range='full' turns that off"):
        found = denoise((noisy() * top).round().astype(np.uint16))
    assert psnr(found / top) > whole - 0.3
    assert abs(found.mean() / top - noisy().mean()) < 0.002


def test_counts_of_a_fluorescence_camera_keep_their_mean_and_lose_their_noise(denoise: Model) -> None:
    cells = 100 + 300 * CLEAN
    counts = np.random.default_rng(1).poisson(cells).astype(np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, as_floats = denoise(counts), denoise(counts.astype(np.float32) / 65_535) * 65_535
        tensor = denoise(torch.from_numpy(counts.astype(np.float32) / 65_535)[None]) * 65_535
        pillow = np.asarray(denoise(Image.fromarray(counts)))
    before = np.sqrt(np.mean((counts - cells) ** 2))
    for one in (found, as_floats, tensor[0].numpy(), pillow):
        assert np.sqrt(np.mean((one - cells) ** 2)) < 0.6 * before
        assert one.mean() == pytest.approx(counts.mean(), abs=1)


@pytest.mark.parametrize("scale", [0.02, 3e-4])
def test_small_floats(denoise: Model, scale: float) -> None:
    with pytest.warns(UserWarning, match="tenth"):
        assert psnr(denoise((CLEAN * scale).astype(np.float32)) / scale) > 40


@pytest.mark.parametrize(
    ("values", "back"),
    [
        ((noisy() * 2000 - 1000).round().astype(np.int16), lambda x: (x + 1000) / 2000),
        ((noisy() * 100_000).round().astype(np.uint32), lambda x: x / 100_000),
        ((noisy() * 4000 + 200).astype(np.float32), lambda x: (x - 200) / 4000),
        (-noisy(), lambda x: -x),
    ],
)  # fmt: skip
def test_any_units_with_a_range(denoise: Model, values: np.ndarray, back: Callable[[np.ndarray], np.ndarray]) -> None:
    with pytest.raises(CuelloError, match=r"range='auto'"):
        denoise(values)
    for asked in ("auto", (float(values.min()), float(values.max()))):
        found = denoise(values, range=asked)
        assert found.dtype == values.dtype
        assert psnr(back(found)) > psnr(noisy()) + 6


def test_a_hot_pixel_and_a_dead_one_do_not_stretch_the_range(denoise: Model) -> None:
    cells = 100 + 300 * CLEAN
    counts = np.random.default_rng(1).poisson(cells).astype(np.uint16)
    counts[40, 40], counts[10, 10] = 65_535, 0
    with pytest.warns(UserWarning, match="tenth"):
        found = denoise(counts)
    assert found[40, 40] > 60_000, "it is kept: this network takes noise away, not bright points"
    around = np.ones(counts.shape, bool)
    around[32:49, 32:49] = around[2:19, 2:19] = False
    assert np.sqrt(np.mean((found - cells)[around] ** 2)) < 0.6 * np.sqrt(np.mean((counts - cells)[around] ** 2))


def test_a_few_bright_points_on_black(denoise: Model) -> None:
    sky = np.zeros((96, 96), np.uint16)
    sky[20:23, 20:23], sky[70, 70] = 200, 900
    with pytest.warns(UserWarning, match="tenth"):
        found = denoise(sky)
    assert (found[30:60, 30:60] == 0).all()
    assert found[21, 21] == pytest.approx(200, abs=20)


def test_full_scale_is_what_it_was(denoise: Model) -> None:
    image = (noisy() * 65_535).round().astype(np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(denoise(image), denoise(image, range="full"))
        stated = denoise(image, range=(0, 65_535)).astype(int)
        assert np.abs(stated - denoise(image)).max() <= 1, "the level is estimated in another unit, to rounding"


def test_a_given_level_is_of_the_types_white(denoise: Model) -> None:
    wide, narrow = (noisy() * 65_535).round(), (noisy() * 4095).round()
    with pytest.warns(UserWarning, match="tenth"):
        found = denoise(narrow.astype(np.uint16), level=25 / 255 / 16)
    assert psnr(found / 4095) > psnr(denoise(wide.astype(np.uint16), level=25 / 255) / 65_535) - 0.3


@pytest.mark.parametrize("asked", ["0..x", "5..1", (3, 3), (0, float("nan"))])
def test_no_range(denoise: Model, asked: str | tuple[float, float]) -> None:
    with pytest.raises(CuelloError, match=r"^range: got .*, needed LOW\.\.HIGH"):
        denoise(np.zeros((9, 9), np.uint8), range=asked)


def test_a_stack_has_one_range(denoise: Model, tmp_path: Path) -> None:
    stack = np.stack([(noisy() * 300 + 50 * page).round() for page in range(4)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    applied = apply(denoise, tmp_path / "a.tif", tmp_path / "b.tif")
    (levels,) = applied.ranges.values()
    assert levels.black < stack.min() + 10
    assert levels.white > stack.max() - 10
    assert len(applied.notes) == 1
    found = tifffile.imread(tmp_path / "b.tif")
    for page in range(4):
        assert psnr((found[page] - 50.0 * page) / 300) > psnr(noisy()) + 5


def test_the_command_line_says_which_range(tmp_path: Path, command: Callable[..., Any]) -> None:
    dark = (noisy() * 1023).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "dark.tif", dark, photometric="minisblack")
    np.save(tmp_path / "ct.npy", (noisy() * 2000 - 1000).astype(np.int16))
    said = command("apply", "denoise", tmp_path / "dark.tif", tmp_path / "out.tif")
    assert said.code == 0
    assert "less than a tenth" in said.out
    assert "--range full leaves that out" in " ".join(said.out.split())
    assert psnr(tifffile.imread(tmp_path / "out.tif") / 1023) > psnr(noisy()) + 6
    said = command("apply", "denoise", tmp_path / "ct.npy", tmp_path / "out.npy", "--range", "-1000..1000")
    assert said.code == 0
    assert psnr((np.load(tmp_path / "out.npy") + 1000) / 2000) > psnr(noisy()) + 6
    said = command("apply", "denoise", tmp_path / "dark.tif", tmp_path / "j.tif", "--range", "auto", "--json")
    (levels,) = json.loads(said.out)["ranges"].values()
    assert float(levels.split("..")[1]) > 900


def test_a_range_for_named_images_of_an_evaluation(model: Model, trained: Run, tmp_path: Path) -> None:
    (tmp_path / "bright").mkdir()
    (tmp_path / "dark").mkdir()
    for number in range(3):
        pixels = (noisy() * 255).round()
        pixels[0, 0], pixels[0, 1] = 0, 255
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"bright/{number}.png")
        tifffile.imwrite(tmp_path / f"dark/{number}.tif", (100 + 3 * pixels).astype(np.uint16))
    whole = cuello.evaluate(trained.path, tmp_path / "bright", report=False, baselines=["input"])
    for asked in ("auto", "100..865"):
        found = cuello.evaluate(trained.path, tmp_path / "dark", report=False, baselines=["input"], range=asked)
        assert found.ours.mean("psnr") == pytest.approx(whole.ours.mean("psnr"), abs=0.3)
    with pytest.raises(CuelloError, match=r"got range='auto' without IMAGES"):
        cuello.evaluate(trained.path, range="auto")


def test_images_that_fill_little_of_their_type_are_noted_where_they_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "dark.npy", np.random.default_rng(0).integers(100, 900, (3, 9, 9)).astype(np.uint16))
    (note,) = load_images(open_source(str(tmp_path / "dark.npy"))).notes
    assert note.startswith(f"the values of {tmp_path / 'dark.npy'}, 1")
    assert "range='LOW..HIGH'" in note
    stated = load_images(open_source(str(tmp_path / "dark.npy"), Levels(0, 1000)))
    assert stated.notes == []


@pytest.mark.parametrize("asked", ["auto", None])
def test_the_range_of_an_array_file_is_said(denoise: Model, tmp_path: Path, asked: str | None) -> None:
    dark = (noisy() * 300).round().astype(np.uint16)
    np.save(tmp_path / "dark.npy", dark)
    applied = apply(denoise, tmp_path / "dark.npy", tmp_path / "out.npy", range=asked)
    assert list(applied.ranges) == [tmp_path / "dark.npy"]
    (levels,) = applied.ranges.values()
    assert levels.black <= np.percentile(dark, 1) < np.percentile(dark, 99) <= levels.white < 1000
    (note,) = applied.notes
    assert str(levels) in note
