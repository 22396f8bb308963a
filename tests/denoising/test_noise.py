"""The report of noise: from Python and from the command line, of files and of images in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import cuello

Command = Callable[..., Any]
Refused = Callable[..., str]

GAIN, READ = 2.0, 4.0


def scene(seed: int = 0, side: int = 96) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return 120 + 50 * np.sin(5 * x + seed) + 40 * np.cos(4 * y * (1 + x) - seed)


def noisy(clean: np.ndarray, seed: int = 0, gain: float = GAIN, read: float = READ) -> np.ndarray:
    random = np.random.default_rng(seed)
    return gain * random.poisson(clean / gain) + random.normal(0, read, clean.shape)


def written(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).save(path)
    return path


def middle(channel: Any, at: float = 120) -> float:
    """Compare the deviation found at a brightness with the true one."""
    return float(channel.model.deviation(at) / np.sqrt(GAIN * at + READ**2))


@pytest.mark.parametrize("kind", ["array", "stack", "tensor", "pillow", "list", "dark"])
def test_images_of_any_kind(kind: str) -> None:
    one, two = noisy(scene()), noisy(scene(2), seed=1)
    eight = one.clip(0, 255).round().astype(np.uint8)
    given: Any = {
        "array": one,
        "stack": np.stack([one, two])[..., None],
        "tensor": torch.from_numpy(one[None]),
        "pillow": Image.fromarray(eight),
        "list": [one, two],
        "dark": one.round().clip(0).astype(np.uint16),
    }[kind]
    found = cuello.noise(given)
    assert list(found.names) == ["grey"]
    assert abs(middle(found.channels[0]) - 1) < 0.1
    assert found.channels[0].white
    assert str(found).startswith("White noise (photons and reading), gain ")


def test_each_channel_has_its_own_noise() -> None:
    found = cuello.noise(np.stack([noisy(scene()), noisy(scene(), seed=1, gain=20), noisy(scene(), seed=2)], 2))
    assert list(found.names) == ["red", "green", "blue"]
    assert [round(float(one.model.deviation(120)) / 10) for one in found.channels] == [2, 5, 2]
    assert "each needs a model of its own" in str(found.result.shown[-1])
    assert [row[0] for row in found.result.rows] == ["name", "red", "green", "blue"]


def test_frames_of_a_stack_are_measured_against_each_other(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path, np.stack([noisy(scene(), seed) for seed in range(3)]).round().astype(np.uint16), photometric="minisblack"
    )
    found = cuello.noise(path)
    assert (found.name, found.images) == ("stack.tif", 3)
    assert found.channels[0].temporal
    assert abs(middle(found.channels[0]) - 1) < 0.05
    assert any("stands still" in line for line in found.result.values["advice"])
    equal = np.stack([noisy(scene())] * 3).round().astype(np.uint16)
    tifffile.imwrite(path, equal, photometric="minisblack")
    assert list(cuello.noise(path).notes) == ["noise was measured in each image by itself: all frames are equal"]


def test_images_of_another_setting_are_left_out_and_named(tmp_path: Path) -> None:
    for number in range(5):
        written(tmp_path / f"{number}.png", noisy(scene(number), seed=number))
    written(tmp_path / "clean.png", scene())
    written(tmp_path / "mask.png", (scene() > 120) * 255.0)
    found = cuello.noise(tmp_path)
    assert found.images == 5
    assert dict(found.left_out) == {
        "clean.png": "its noise is of another strength than most images'",
        "mask.png": "an image of two values",
    }
    assert abs(middle(found.channels[0]) - 1) < 0.1
    assert cuello.noise(tmp_path, limit=3).notes[0] == "3 of 7 images were looked at, spread evenly"


def test_what_has_no_noise_is_refused_or_said(tmp_path: Path) -> None:
    with pytest.raises(cuello.CuelloError, match="a mask holds no noise"):
        cuello.noise((scene() > 120).astype(np.uint8) * 255)
    with pytest.raises(cuello.CuelloError, match="as labels are"):
        cuello.noise(np.kron(np.arange(16).reshape(4, 4), np.ones((16, 16), np.uint8)) * 7 % 11)
    with pytest.raises(cuello.CuelloError, match=r"12 pixels at most, needed 16 .*give larger images"):
        cuello.noise(noisy(scene(side=12)))
    with pytest.raises(cuello.CuelloError, match="limit: got 0"):
        cuello.noise(noisy(scene()), limit=0)
    found = cuello.noise(scene().round().astype(np.uint8), output=tmp_path / "out")
    assert str(found) == "No noise above the rounding of the values."
    assert "any method would take structure" in str(found.result.shown[-1])
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_command_prints_a_table_and_writes_page_and_pictures(
    tmp_path: Path, command: Command, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    colours = np.stack([noisy(scene(), seed) for seed in range(3)], 2)
    eight = colours.clip(0, 255).astype(np.uint8)
    Image.fromarray(eight).save(folder / "one.png")
    answer = command("noise", folder, "-o", out, "--quiet")
    assert answer.code == 0, answer.error
    assert max(map(len, answer.out.replace(str(out), "").splitlines())) <= 60
    assert "σ where dark" in answer.out
    assert "Red: white noise (photons and reading)" in " ".join(answer.out.split())
    written = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert written == {"report.html", "noise.json", "figures/variance.png", "figures/autocorrelation.png"}
    assert "holds report.html, noise.json" in refused("noise", folder, "-o", out)
    machine = command("noise", folder, "-o", out, "--overwrite", "--json")
    values = json.loads(machine.out)
    assert machine.error == ""
    assert values == json.loads((out / "noise.json").read_text())
    assert [one["name"] for one in values["channels"]] == ["red", "green", "blue"]
    assert np.array(values["channels"][0]["correlation"])[4, 4] == 1


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    tmp_path: Path, command: Command, refused: Refused
) -> None:
    written(tmp_path / "good.png", noisy(scene()))
    (tmp_path / "bad.png").write_bytes(b"no image")
    answer = command("noise", tmp_path)
    assert answer.code == 1
    assert "failed: " in answer.error
    assert "bad.png" in answer.error
    assert "gain" in answer.out
    assert "none of 1 images could be read" in refused("noise", tmp_path / "bad.png")
    assert "whose noise?" in refused("noise")


def test_borders_without_values_and_floats_of_any_unit(tmp_path: Path) -> None:
    values = (noisy(scene()) - 500) * 1e-3
    values[:10] = np.nan
    path = tmp_path / "floats.tif"
    tifffile.imwrite(path, values.astype(np.float32))
    found = cuello.noise(path).channels[0]
    assert abs(found.model.deviation(-0.38) / (1e-3 * np.sqrt(GAIN * 120 + READ**2)) - 1) < 0.1
