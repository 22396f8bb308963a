"""Frames as pairs: which make pairs, and that movement, change and equal frames are refused with numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

import cuello
from cuello.core.errors import CuelloError
from cuello.data.images import Images
from cuello.jobs.images.frames import check_pairs, frame_pairs, moved_share
from cuello.runs.artefact import load_artefact


def scene(side: int = 96, shift: float = 0.0) -> np.ndarray:
    """Spots and waves, 40 to 200, moved to the right by ``shift`` pixels."""
    y, x = np.mgrid[:side, :side].astype(float)
    x = x - shift
    return 120 + 50 * np.sin(x / 4) * np.cos(y / 5) + 30 * np.sin((x + y) / 9)


def film(count: int, step: float = 0.0, sigma: float = 10.0) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    frames = [scene(shift=step * number) for number in range(count)]
    noisy = [frame + random.normal(0, sigma, frame.shape) for frame in frames]
    return [frame.round().clip(0, 255).astype(np.uint8)[..., None] for frame in noisy]


def images_of(frames: list[np.ndarray], names: list[str] | None = None) -> Images:
    return Images("film", frames, names or [f"{number}.png" for number in range(len(frames))])


def test_pairs_are_of_one_stack_and_no_frame_is_in_two() -> None:
    names = ["a.tif#000", "a.tif#001", "a.tif#002", "b.tif#000", "b.tif#001"]
    frames = film(5)
    paired = frame_pairs(images_of(frames, names))
    assert paired.names == ["a.tif#000", "b.tif#000"]
    assert paired.targets is not None
    assert [one is frames[place] for one, place in zip(paired.targets, (1, 4), strict=True)] == [True, True]


def test_a_scene_that_moves_is_refused_with_how_much() -> None:
    with pytest.raises(CuelloError, match=r"scene moves: between the frames 0.png and 1.png movement makes \d\d% of"):
        frame_pairs(images_of(film(4, step=1.0)))


def test_a_scene_that_changes_is_refused_with_how_much() -> None:
    frames = film(2)
    random = np.random.default_rng(1)
    other = scene() + random.normal(0, 20, (96, 96))
    with pytest.raises(CuelloError, match=r"\d\.\d times as much changes as noise would"):
        frame_pairs(images_of([frames[0], other.round().clip(0, 255).astype(np.uint8)[..., None]]))


def test_equal_frames_and_lone_ones_are_refused() -> None:
    frame = film(1)[0]
    with pytest.raises(CuelloError, match="are all equal"):
        frame_pairs(images_of([frame, frame.copy()]))
    with pytest.raises(CuelloError, match="no two frames of one size"):
        frame_pairs(images_of([frame, frame[:50]]))


def test_frames_that_the_file_calls_colours_are_refused_with_what_to_do() -> None:
    with pytest.raises(CuelloError, match=r"holds one image of 3 channels.*photometric='minisblack'"):
        frame_pairs(images_of([np.concatenate(film(3), 2)]))


@pytest.mark.parametrize(("step", "least", "most"), [(0.0, 0.0, 0.02), (0.3, 0.02, 0.1), (2.0, 0.5, 1.0)])
def test_the_share_of_movement(step: float, least: float, most: float) -> None:
    random = np.random.default_rng(2)
    one, other = (scene(shift=shift) + random.normal(0, 8, (96, 96)) for shift in (0.0, step))
    assert least <= moved_share(one, other) <= most


def test_a_network_learns_from_a_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "film.tif", np.stack(film(6))[..., 0], photometric="minisblack")
    run = cuello.train(
        "denoise", tmp_path / "film.tif", method="frames", output=tmp_path / "run", epochs=1, samples=8, crop=16,
        threads=1,
    )  # fmt: skip
    assert load_artefact(run.path).method == "frames"
    estimated = {row["method"]: row["mse"] for row in run.metrics["estimated"]}
    assert estimated["noisy image"] == pytest.approx((10 / 255) ** 2, rel=0.2)


def test_pairs_of_noisy_images_show_one_scene() -> None:
    random = np.random.default_rng(1)
    one, still, moved, far = (
        [(scene(shift=shift) + random.normal(0, 10, (96, 96)))[..., None] for _ in range(3)] for shift in (0, 0, 1, 25)
    )
    pairs = replace(images_of(one), targets=still)
    check_pairs(pairs)
    check_pairs(replace(pairs, targets=[*still[:2], moved[2]]))  # one of three
    for other in (moved, far):
        with pytest.raises(CuelloError, match=r"do not show the same scene.*makes \d\d% of.*noisy_target"):
            check_pairs(replace(pairs, targets=other))
