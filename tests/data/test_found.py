"""What is seen of images at a place when some of them cannot be read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cuello.core.errors import CuelloError
from cuello.data.found import look


@pytest.mark.parametrize("broken", [0, 2, 6])
def test_images_that_cannot_be_read_are_named_and_hide_no_others(
    tmp_path: Path, make_images: Callable[..., Path], broken: int
) -> None:
    folder = make_images(tmp_path / "images", count=7)
    path = folder / f"{broken}.png"
    path.write_bytes(path.read_bytes()[:300])
    found = look(str(folder))
    assert (found.count, found.sizes) == (7, ((40, 40),) * 6)
    assert found.sentence() == "7 colour images, 40×40 pixels, 8-bit; 1 of those looked at cannot be read"
    assert found.unread == (
        f"{path} is damaged or cut short (image file is truncated). Copy it again from where it came.",
    )
    assert [line for line in found.listed if "cannot be read" in line] == [f"{broken}.png  cannot be read"] * (
        broken < 5
    )
    assert len(found.listed) == 5


def test_where_none_can_be_read_the_first_says_why(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(CuelloError, match=r"a\.png is not an image that can be read"):
        look(str(tmp_path))
