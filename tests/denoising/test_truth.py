"""Clean images judge results and their scores, and change nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import cuello
from cuello.core.errors import CuelloError


def scene(seed: int) -> np.ndarray:
    y, x = np.mgrid[:128, :128] / 128
    return (340 + 130 * np.sin(9 * x + seed) + 130 * np.cos(8 * y * (1 + x))).astype(np.float32)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    noisy, clean = tmp_path / "noisy", tmp_path / "clean"
    for folder in (noisy, clean):
        folder.mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(0, 25, (128, 128))
        tifffile.imwrite(noisy / f"{seed}.tif", (scene(seed) + noise).astype(np.float32))
        tifffile.imwrite(clean / f"{seed}.tiff", scene(seed))
    return noisy, clean


def test_results_are_measured_and_stay_the_same(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    cuello.denoise(noisy, tmp_path / "without")
    found = cuello.denoise(noisy, tmp_path / "with", target=clean, report=tmp_path / "page")
    for seed, truth in enumerate(found.truths):
        result = (tmp_path / "with" / f"{seed}.tif").read_bytes()
        assert result == (tmp_path / "without" / f"{seed}.tif").read_bytes()
        true = scene(seed).astype(float)
        error = np.mean((tifffile.imread(tmp_path / "with" / f"{seed}.tif") - true) ** 2)
        assert truth.peak == pytest.approx(np.ptp(true))
        assert truth.after == pytest.approx(-10 * np.log10(error / np.ptp(true) ** 2))
        assert truth.scored == pytest.approx(truth.after - truth.before)
        assert truth.off == pytest.approx(found.channels[seed][0].score.gain - truth.scored)
        assert abs(truth.off) < 3, "of 16 to 19 dB"
    assert "By the clean images" in (tmp_path / "page" / "report.html").read_text()


def test_the_command_says_it(tmp_path: Path, folders: tuple[Path, Path], command: Callable[..., Any]) -> None:
    noisy, clean = folders
    answer = command("denoise", noisy / "0.tif", tmp_path / "a.tif", "--target", clean / "0.tiff")
    assert "dB by the clean image (peak" in answer.out
    assert "the score was off by" in answer.out
    answer = command("denoise", noisy, tmp_path / "out", "--target", clean, "--json")
    truth = json.loads(answer.out)["files"][1]["truth"]
    assert truth["after"] > truth["before"] + 5
    assert truth["off"] == pytest.approx(truth["score"] - truth["scored"])


def test_replaced_images_are_measured_too(folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    found = cuello.denoise(noisy, in_place=True, target=clean)
    assert all(truth.after > truth.before + 5 for truth in found.truths)


def test_what_does_not_match_is_an_error_before_any_work(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    noisy, clean = folders
    with pytest.raises(CuelloError, match="needed a folder with the clean image of every image"):
        cuello.denoise(noisy, tmp_path / "out", target=clean / "0.tiff")
    tifffile.imwrite(clean / "1.tiff", scene(1)[:100])
    with pytest.raises(CuelloError, match=r"128x128 pixels, 1 channel, and its clean image .* 128x100 pixels"):
        cuello.denoise(noisy, tmp_path / "out", target=clean)
    (clean / "1.tiff").unlink()
    with pytest.raises(CuelloError, match="1 of 2 images have no partner of the same name"):
        cuello.denoise(noisy, tmp_path / "out", target=clean)
    tifffile.imwrite(clean / "1.tif", scene(1))
    tifffile.imwrite(clean / "1.tiff", scene(1))
    with pytest.raises(CuelloError, match="same name without ending"):
        cuello.denoise(noisy, tmp_path / "out", target=clean)
    with pytest.raises(CuelloError, match="is the noisy image itself"):
        cuello.denoise(noisy, tmp_path / "out", target=noisy)
    with pytest.raises(CuelloError, match="would be replaced"):
        cuello.denoise(noisy / "0.tif", clean / "0.tiff", target=clean / "0.tiff", overwrite=True)
    with pytest.raises(CuelloError, match="a target"):
        cuello.denoise(scene(0), target=clean)
    assert not (tmp_path / "out").exists()
