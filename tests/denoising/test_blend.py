"""Results of an image and of smaller ones are put together as captures tell: better, and no structure is invented."""

from typing import Any

import numpy as np
import pytest

import cuello
from cuello.denoising import kinds
from cuello.denoising.blend import Blend, Layers, equations, smaller, solved
from cuello.denoising.denoise import shipped

SIGMA = 10.0


def captures(clean: np.ndarray, count: int = 3, sigma: float = SIGMA) -> list[np.ndarray]:
    return [clean + np.random.default_rng(seed).normal(0, sigma, clean.shape) for seed in range(count)]


def slow_scene(side: int = 128) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return 200 + 60 * np.sin(5 * x) + 60 * np.cos(4 * y)


def kind_of(images: list[np.ndarray]) -> kinds.PlaneKind:
    return kinds.kinds_of([image[:, :, None] for image in images], "quick")[0]


def rmse(images: Any, clean: np.ndarray) -> float:
    return float(np.sqrt(np.mean([(image - clean) ** 2 for image in images])))


def test_the_weights_that_made_a_target_are_found() -> None:
    random = np.random.default_rng(0)
    layers = Layers(*(random.normal(size=(40, 40)) for _ in range(4)))
    weights = (0.3, -0.2, 0.1, 0.4, 0.5, -0.6, 0.7, 0.2)
    target = Blend(weights).of(layers)
    assert np.allclose(solved([equations(layers, target)]), weights, atol=1e-3)


def test_sizes_that_are_no_multiple_come_back() -> None:
    ramp = np.add.outer(np.arange(33.0), np.arange(38.0))
    assert np.abs(smaller(ramp, 4, lambda values: values) - ramp)[6:-6, 6:-6].max() < 0.2


def test_captures_of_a_slow_scene_are_restored_better() -> None:
    clean = slow_scene()
    noisy = captures(clean)
    plain = kind_of(noisy)
    better = kinds.blended(plain, shipped())
    assert better.blend is not None
    errors = [rmse([kind.take_off(image, shipped()) for image in noisy], clean) for kind in (plain, better)]
    assert errors[1] < 0.9 * errors[0]
    assert np.array_equal(cuello.denoise(noisy)[0], better.take_off(noisy[0], shipped()))


def test_captures_in_colour_are_captures_channel_by_channel() -> None:
    clean = np.stack([slow_scene(), slow_scene().T, slow_scene()[::-1]], axis=2)
    found = kinds.kinds_of(captures(clean), "quick")[0]
    assert len(found.planes) == 9  # of unlike scenes, one after the other
    better = kinds.blended(found, shipped())
    assert better.blend is not None
    noisy = captures(clean)[0][:, :, 1]
    errors = [rmse([kind.take_off(noisy, shipped())], clean[:, :, 1]) for kind in (found, better)]
    assert errors[1] < 0.95 * errors[0]


def test_other_images_are_not_put_together() -> None:
    clean = slow_scene()
    others = [image.T if place % 2 else image for place, image in enumerate(captures(clean))]
    assert kinds.blended(kind_of(others), shipped()).blend is None


def test_what_captures_score_lower_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def worst_first(*given: Any, **named: Any) -> Any:
        return sorted(judge(*given, **named), key=lambda score: score.name == "blend")

    judge = kinds.judge_copies
    monkeypatch.setattr(kinds, "judge_copies", worst_first)
    assert kinds.blended(kind_of(captures(slow_scene())), shipped()).blend is None


def test_captures_of_a_flat_field_become_flat_and_keep_their_brightness() -> None:
    noisy = captures(np.full((128, 128), 100.0))
    for image, restored in zip(noisy, cuello.denoise(noisy), strict=True):
        assert restored.std() < 0.15 * SIGMA
        assert abs(restored.mean() - image.mean()) < SIGMA / 128


def test_faint_lines_and_bright_points_of_captures_stay() -> None:
    clean = slow_scene()
    line, points = np.zeros(clean.shape, bool), np.zeros(clean.shape, bool)
    line[60, 10:118] = points[20:40:6, 20:110:18] = True
    restored = np.mean(cuello.denoise(captures(clean + 3 * SIGMA * line + 10 * SIGMA * points), repair=False), axis=0)
    above = restored - np.mean(cuello.denoise(captures(clean), repair=False), axis=0)
    assert above[line].mean() > 0.6 * 3 * SIGMA
    assert above[points].mean() > 0.8 * 10 * SIGMA
