"""Channels, pages and frames of very different brightness: each is restored as well as it is by itself."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

import cuello
from cuello.data.levels import RangeChoice, estimated_levels
from cuello.inference.files import apply
from cuello.inference.model import Model

CLEAN = data.camera()[200:264, 150:214] / 255
RANDOM = np.random.default_rng(0)
DIM = RANDOM.poisson(100 + 300 * CLEAN).astype(np.uint16)
BRIGHT = (2000 + 50_000 * CLEAN + RANDOM.normal(0, 3000, CLEAN.shape)).clip(0, 65_535).astype(np.uint16)
TWICE: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}


@pytest.fixture(scope="module")
def denoise() -> Model:
    return cuello.load("denoise")


def alone(model: Model, image: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model(image)


def restored(model: Model, path: Path) -> np.ndarray:
    applied = apply(model, path, path.with_name("out.tif"))
    assert applied.failed == []
    assert list(applied.ranges) == [path]
    return tifffile.imread(path.with_name("out.tif"))


@pytest.mark.parametrize("kind", ["contiguous", "planar", "pages", "hyperstack", "colours", "floats"])
def test_a_dim_channel_beside_a_bright_one(denoise: Model, tmp_path: Path, kind: str) -> None:
    path, unit = tmp_path / "in.tif", 1.0
    if kind in ("contiguous", "floats"):
        unit = 65_535 if kind == "floats" else 1
        both = np.stack([DIM, BRIGHT], -1)
        tifffile.imwrite(path, (both / 65_535).astype(np.float32) if kind == "floats" else both, **TWICE)
    elif kind == "colours":
        tifffile.imwrite(path, np.stack([DIM, BRIGHT, BRIGHT], -1), photometric="rgb")
    elif kind == "hyperstack":
        tifffile.imwrite(path, np.stack([[DIM, BRIGHT]] * 3), imagej=True, metadata={"axes": "ZCYX"})
    else:
        layout: Any = {"planarconfig": "separate"} if kind == "planar" else {}
        tifffile.imwrite(path, np.stack([DIM, BRIGHT]), photometric="minisblack", **layout)
    found = restored(denoise, path).astype(np.float64) * unit
    dim, bright = (
        (found[..., 0], found[..., 1]) if found.shape[-1] in (2, 3) else (found[..., 0, :, :], found[..., 1, :, :])
    )
    assert np.abs(dim - alone(denoise, DIM)).max() <= 1
    assert np.abs(bright - alone(denoise, BRIGHT)).max() <= 1


def test_pages_of_several_types(denoise: Model, tmp_path: Path) -> None:
    pages = [DIM, (DIM // 4).astype(np.uint8), (DIM / 65_535).astype(np.float32), BRIGHT]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack")
    applied = apply(denoise, tmp_path / "in.tif", tmp_path / "out.tif")
    assert applied.failed == []
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        for page, before in zip(file.pages, pages, strict=True):
            found = page.asarray()
            assert found.dtype == before.dtype
            np.testing.assert_allclose(found, alone(denoise, before), atol=1e-6 if found.dtype.kind == "f" else 1)


def test_a_bright_page_among_dim_ones_that_no_estimate_looked_at(denoise: Model, tmp_path: Path) -> None:
    pages = [DIM] * 20
    pages[11] = BRIGHT
    tifffile.imwrite(tmp_path / "in.tif", np.stack(pages), photometric="minisblack")
    found = restored(denoise, tmp_path / "in.tif")
    np.testing.assert_array_equal(found[11], alone(denoise, BRIGHT))
    assert np.abs(found[3].astype(int) - alone(denoise, DIM)).max() <= 1


def test_arrays_of_several_images_and_of_channels(denoise: Model) -> None:
    with pytest.warns(UserWarning, match="less than a tenth"):
        several = denoise(np.stack([DIM, BRIGHT]))
    with pytest.warns(UserWarning, match="less than a tenth"):
        colours = denoise(np.stack([BRIGHT, DIM, BRIGHT], -1))
    for dim, bright in ((several[0], several[1]), (colours[..., 1], colours[..., 2])):
        assert np.abs(dim.astype(int) - alone(denoise, DIM)).max() <= 1
        np.testing.assert_array_equal(bright, alone(denoise, BRIGHT))


def test_a_stated_range_and_the_types_own_are_left_as_they_are(denoise: Model, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.stack([DIM, BRIGHT], -1), **TWICE)
    for choice in ("full", "0..65535"):
        applied = apply(denoise, tmp_path / "in.tif", tmp_path / "out.tif", overwrite=True, range=choice)
        assert applied.ranges == {}
        found = tifffile.imread(tmp_path / "out.tif")[..., 0]
        np.testing.assert_array_equal(found, denoise(DIM, range=choice))


def test_an_animation_that_begins_dark(denoise: Model, tmp_path: Path) -> None:
    first = Image.fromarray((12 * CLEAN).astype(np.uint8))
    second = Image.fromarray((255 * CLEAN + RANDOM.normal(0, 20, CLEAN.shape)).clip(0, 255).astype(np.uint8))
    first.save(tmp_path / "in.png", save_all=True, append_images=[second], duration=50)
    applied = apply(denoise, tmp_path / "in.png", tmp_path / "out.png")
    assert list(applied.ranges) == [tmp_path / "in.png"]
    with Image.open(tmp_path / "out.png") as found:
        for number, image in enumerate([first, second]):
            found.seek(number)
            np.testing.assert_array_equal(np.asarray(found), alone(denoise, np.asarray(image)))


@pytest.mark.parametrize("shape", [(1024, 1024, 2), (3, 1000, 1000), (2, 1000, 1000)])
def test_an_estimate_looks_at_every_channel_and_column(shape: tuple[int, ...]) -> None:
    values = np.broadcast_to(np.arange(shape[-1], dtype=np.uint16) * (60_000 // shape[-1]), shape)
    found = estimated_levels(values)
    assert found is not None
    assert found.white - found.black == pytest.approx(1.2 * (values.max() - values.min()), rel=0.01)


def test_one_range_holds_for_all_that_it_fits() -> None:
    choice = RangeChoice().among([np.array([100, 400], np.uint16), np.array([150, 300], np.uint16)])
    assert choice.settled(np.array([150, 300], np.uint16)) == choice.settled(np.array([100, 400], np.uint16))
    assert choice.settled(np.array([200, 210], np.uint16)) != choice.settled(np.array([100, 400], np.uint16))
    assert choice.settled(np.array([100, 50_000], np.uint16)) is None
