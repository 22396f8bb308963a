"""What the format of a result cannot hold is said before the network works."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.inference.files import apply
from cuello.inference.model import Model

GREY = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 200


def write(path: Path, kind: str) -> Path:
    if kind == "transparent":
        Image.fromarray(np.stack([GREY // 256] * 4, -1).astype(np.uint8)).save(path.with_suffix(".png"))
        return path.with_suffix(".png")
    layout: Any = {"planarconfig": "contig"} if kind == "channels" else {}
    pixels = {"deep": GREY, "floats": (GREY / 65_535).astype(np.float32), "channels": np.stack([GREY] * 2, -1)}[kind]
    tifffile.imwrite(path, pixels, photometric="minisblack", **layout)
    return path


@pytest.mark.parametrize(
    ("kind", "ending", "said"),
    [
        ("transparent", ".jpg", "cannot hold transparency; use .png"),
        ("transparent", ".bmp", "cannot hold transparency; use .png"),
        ("deep", ".jpg", "holds 8 bits per channel only, and the image has uint16; use .png or .tif"),
        ("deep", ".webp", "holds 8 bits per channel only, and the image has uint16; use .png or .tif"),
        ("floats", ".png", "holds 8 or 16 bits, and the image has float32; use .tif"),
        ("channels", ".png", "and the image has 1 more channel; use .tif"),
    ],
)
def test_before_the_network_works(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ending: str, said: str
) -> None:
    def at_work(*_: Any, **__: Any) -> None:
        raise AssertionError

    source = write(tmp_path / "in.tif", kind)
    monkeypatch.setattr(Model, "restore", at_work)
    ((path, reason),) = apply(model, source, tmp_path / f"out{ending}").failed
    assert path == source
    assert said in reason
    assert not (tmp_path / f"out{ending}").exists()


@pytest.mark.parametrize(
    ("kind", "ending"), [("deep", ".png"), ("deep", ".pgm"), ("channels", ".tif"), ("transparent", ".webp")]
)
def test_what_fits_is_written(model: Model, tmp_path: Path, kind: str, ending: str) -> None:
    assert apply(model, write(tmp_path / "in.tif", kind), tmp_path / f"out{ending}").failed == []


@pytest.mark.parametrize("level", ["25", True, [0.1], np.array([0.1, 0.2])])
def test_no_level(model: Model, level: Any) -> None:
    with pytest.raises(CuelloError, match="needed a number from 0 to 1"):
        model(GREY, level=level)
