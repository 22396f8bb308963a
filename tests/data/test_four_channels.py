"""--channels 4: a fourth channel that is no transparency is learned and restored like the others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.images import load_images

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16, 18, 4), np.uint8)
QUICK: dict[str, Any] = {
    "noise": "gaussian:20", "model": "conv-8-16-8", "epochs": 1, "batch_size": 2, "report": False, "device": "cpu",
    "threads": 1,
}  # fmt: skip


def write(folder: Path, kind: str) -> Path:
    """The same images as PNG, TIFF, or one array."""
    if kind == "npy":
        np.save(folder / "images.npy", PIXELS)
        return folder / "images.npy"
    (folder / kind).mkdir()
    for number, pixels in enumerate(PIXELS):
        if kind == "png":
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
        else:
            tifffile.imwrite(folder / kind / f"{number}.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    return folder / kind


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["png", "tif", "npy"])
def test_every_value_of_the_fourth_channel_is_read(tmp_path: Path, kind: str, stream: bool) -> None:
    images = load_images(open_source(str(write(tmp_path, kind))), channels=4, stream=stream)
    assert images.channels == 4
    assert np.array_equal(np.stack(list(images.arrays)), PIXELS)


@pytest.mark.parametrize("kind", ["png", "npy"])
def test_by_default_it_is_transparency_and_that_is_said(tmp_path: Path, kind: str) -> None:
    images = load_images(open_source(str(write(tmp_path, kind))))
    seen = PIXELS[..., 3] > 0 if kind == "png" else PIXELS[..., 3] >= 0  # a PNG says that it is transparency
    assert np.array_equal(np.stack(list(images.arrays))[seen], PIXELS[seen][:, :3])
    assert any("transparency" in note and "channels" in note for note in images.notes)


def test_images_without_a_fourth_channel_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "three.npy", PIXELS[..., :3])
    with pytest.raises(CuelloError, match="got an image of 3 channels and channels=4, needed images of four"):
        load_images(open_source(str(tmp_path / "three.npy")), channels=4)


def test_it_is_trained_applied_and_evaluated(tmp_path: Path, command: Any) -> None:
    folder = write(tmp_path, "png")
    run = cuello.train("denoise", folder, channels=4, output=tmp_path / "run", **QUICK)
    model = cuello.load(run.path)
    assert model.channels == 4
    whole = model(PIXELS[0])
    assert whole.shape == PIXELS[0].shape
    changed = PIXELS[0].copy()
    changed[..., 3] = 255 - changed[..., 3]
    assert not np.array_equal(model(changed)[..., :3], whole[..., :3]), "the fourth channel is an input of the network"
    answer = command("apply", run.path, folder, tmp_path / "out", "--quiet")
    assert answer.code == 0
    with Image.open(tmp_path / "out" / "0.png") as image:
        assert np.array_equal(np.asarray(image), whole)
    found = cuello.evaluate(run.path, folder, baselines=["input"], report=False)
    assert found.protocol["channels"] == 4
    with pytest.raises(CuelloError, match="got an image of 3 channels, this network takes 4"):
        model(PIXELS[0][..., :3])
