"""`apply` on TIFF files: every channel and plane is restored by itself, and what the file says stays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import cuello
from cuello.inference.files import apply
from cuello.inference.model import Model


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("planar", [False, True])
def test_channels_that_are_no_colours_are_restored_each_by_itself(model: Model, tmp_path: Path, planar: bool) -> None:
    stored = noise(24, 20, 5)  # RGB, transparency, infrared
    layout: Any = {"photometric": "rgb", "extrasamples": [2, 0], "planarconfig": "separate" if planar else "contig"}
    tifffile.imwrite(tmp_path / "in.tif", np.moveaxis(stored, -1, 0) if planar else stored, **layout)
    applied = apply(model, tmp_path / "in.tif", tmp_path / "out.tif")
    assert (applied.failed, applied.notes) == ([], [])
    found = tifffile.imread(tmp_path / "out.tif")
    found = np.moveaxis(found, 0, -1) if planar else found
    np.testing.assert_array_equal(found[..., :4], model(stored[..., :4]))
    np.testing.assert_array_equal(found[..., 3], stored[..., 3])
    np.testing.assert_array_equal(found[..., 4], model(stored[..., 4]))


def test_planes_behind_one_directory_are_restored_and_enlarged(tmp_path: Path) -> None:
    upscale = cuello.load("upscale-x2")
    stored = noise(2, 3, 12, 10)
    about = {"axes": "TCYX", "unit": "um", "finterval": 2.0}
    tifffile.imwrite(tmp_path / "in.tif", stored, imagej=True, truncate=True, resolution=(4, 4), metadata=about)
    applied = apply(upscale, tmp_path / "in.tif", tmp_path / "out.tif")
    assert (applied.failed, applied.notes) == ([], [])
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.series[0].axes == "TCYX"
        found = file.asarray()
        assert file.pages.first.resolution == (8, 8)
        assert (file.imagej_metadata or {})["finterval"] == 2.0
    for frame in range(2):
        for channel in range(3):
            np.testing.assert_array_equal(found[frame, channel], upscale(stored[frame, channel]))


def test_what_a_file_cannot_keep_is_noted_once(model: Model, tmp_path: Path) -> None:
    private: Any = [(65000, "s", 0, "private", False)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(noise(3, 24, 20), photometric="minisblack", extratags=private)
        file.write(noise(6, 5), photometric="minisblack", subfiletype=1)
    applied = apply(model, tmp_path / "in.tif", tmp_path / "out.tif")
    assert applied.failed == []
    assert applied.notes == [
        f"1 smaller copy or mask in {tmp_path / 'in.tif'} left out",
        f"{tmp_path / 'out.tif'} lacks these parts of {tmp_path / 'in.tif'}: tag 65000",
    ]


def test_formats_that_hold_no_further_channels_say_so(model: Model, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", noise(24, 20, 2), photometric="minisblack", planarconfig="contig")
    applied = apply(model, tmp_path / "in.tif", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()
    assert "the image has 1 more channel; use .tif." in applied.failed[0][1]
