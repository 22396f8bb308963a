"""What `cuello.noise` says of images that cannot be measured; they never end a folder."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

import cuello
from cuello.core.errors import CuelloError

NOISY = np.random.default_rng(0).normal(120 + 60 * np.sin(np.arange(96) / 9) + np.zeros((96, 1)), 8)


def test_what_cannot_be_measured_is_left_out_of_a_folder(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NOISY)
    tifffile.imwrite(tmp_path / "b.tif", np.full((96, 96), np.nan))
    tifffile.imwrite(tmp_path / "c.tif", NOISY * 1e200)
    found = cuello.noise(tmp_path)
    assert found.images == 1
    assert dict(found.left_out) == {
        "b.tif": "an image without a single finite value",
        "c.tif": f"values as large as {NOISY.max() * 1e200:g}, needed 1e+100 at most: divide them first",
    }


@pytest.mark.parametrize(
    ("images", "message"),
    [(NOISY + 1j, "of complex128"), (NOISY * np.nan, "finite value"), (NOISY * 1e200, "needed 1e\\+100 at most")],
)
def test_alone_it_is_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        cuello.noise(images)
