"""Which images a report shows, and that they are the ones that were scored."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from cuello.data.images import Images
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages, evaluated_images
from cuello.jobs.images.evaluation import OURS, Evaluation, Method, evaluate_model
from cuello.jobs.images.examples import (
    MOST_PIXELS,
    Example,
    best_classical,
    choose_rows,
    make_examples,
    middle,
)
from cuello.jobs.images.pairs import Task


def scored(**psnr: list[float]) -> Evaluation:
    """An evaluation with these values of PSNR and nothing else."""
    methods = [Method(name, name, {"psnr": np.array(values)}, 1.0, 1.0) for name, values in psnr.items()]
    count = len(next(iter(psnr.values())))
    subjects = EvaluatedImages(lambda: [], [str(row) for row in range(count)], [(0, 0)] * count, (8, 8), False)
    return Evaluation(methods, [], "", [], subjects, None, {})


def test_the_best_and_the_worst_are_shown_and_some_between() -> None:
    values = [20.0, 35.0, 28.0, 10.0, 30.0, 25.0, 27.0, 22.0, 31.0, 29.0, 26.0]
    rows = choose_rows(scored(network=values))
    assert ("best", 1) in [(why, row) for row, why in rows]
    assert ("worst", 3) in [(why, row) for row, why in rows]
    # sorted: 10 20 22 25 26 27 28 29 30 31 35; at 0.3, 0.5, 0.7 of ten: 25, 27, 29
    assert [values[row] for row, why in rows if why == "typical"] == [25.0, 27.0, 29.0]


def test_neither_flat_images_nor_perfect_ones_are_shown_as_the_best() -> None:
    evaluation = scored(network=[20.0, 60.0, 100.0, 30.0, 25.0, 28.0])
    detail = np.array([0.1, 0.0, 0.1, 0.1, 0.1, 0.02])
    assert ("best", 2) in [(why, row) for row, why in choose_rows(evaluation, detail)], "row 1 is flat"
    evaluation.ours.__dict__["counted"] = np.array([True, True, False, True, True, True])
    rows = {why: row for row, why in choose_rows(evaluation, detail)}
    assert (rows["best"], rows["worst"]) == (3, 0), "row 2 is perfect for some method"
    assert {row for row, why in choose_rows(evaluation, detail) if why == "typical"} <= {0, 3, 4}, "5 has little detail"
    flat = choose_rows(evaluation, np.zeros(6))
    assert flat == choose_rows(evaluation), "where all are flat there is no choice"


def test_of_binary_images_the_best_has_the_fewest_wrong_pixels() -> None:
    scores = {"psnr": np.array([100.0, 20.0, 30.0, 25.0]), "wrong": np.array([3.0, 1.0, 2.0, 1.0])}
    scores["mse"] = 10 ** (-scores["psnr"] / 10)
    images = EvaluatedImages(lambda: [], list("abcd"), [(0, 0)] * 4, (8, 8), True)
    evaluation = Evaluation([Method(OURS, OURS, scores, None, 1.0)], [], "", [], images, None, {})
    rows = {why: row for row, why in choose_rows(evaluation)}
    assert (rows["best"], rows["worst"]) == (3, 0), "of two with one wrong pixel the one with the smaller error"


def test_a_caption_says_what_counts() -> None:
    image = np.zeros((2, 2, 1), np.float32)
    example = Example("typical", "a", image, {}, {"tv": 23.45, OURS: 100.0})
    assert [example.caption(name) for name in ("tv", OURS)] == ["23.4 dB", "exact"]
    assert replace(example, wrong={"tv": 3, OURS: 0}).caption("tv") == "3 wrong"


def test_typical_ones_come_from_different_photographs() -> None:
    evaluation = scored(network=[float(row) for row in range(11)])
    names = ["a"] * 6 + ["b", "c"] + ["d"] * 3
    evaluation = replace(evaluation, images=replace(evaluation.images, names=names))
    shown = [names[row] for row, why in choose_rows(evaluation) if why == "typical"]
    assert len(shown) == len(set(shown)) == 3


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_image_is_shown_twice(count: int) -> None:
    rows = [row for row, _ in choose_rows(scored(network=list(range(count))))]
    assert len(rows) == len(set(rows)) <= count
    assert {0, count - 1} <= set(rows)


def test_the_best_classical_method_is_neither_ours_nor_the_input() -> None:
    found = scored(input=[50.0, 50.0], tv=[20.0, 30.0], wavelet=[26.0, 26.0], network=[60.0, 60.0])
    assert best_classical(found) == "wavelet"
    assert best_classical(scored(input=[1.0], network=[2.0])) is None


def test_examples_are_degraded_and_restored_as_they_were_scored(
    model: Model, make_image: Callable[..., np.ndarray]
) -> None:
    images = Images("few", [make_image(n, 20, 24) for n in range(6)], [f"{n}.png" for n in range(6)])
    task = Task("denoise", parse("salt-pepper:0.1..0.5"))
    evaluation = evaluate_model(model, task, evaluated_images(images), seed=4, baselines=["input", "median-3", "tv"])
    methods = ["input", "median-3", "tv", OURS]
    rows = choose_rows(evaluation)
    examples = make_examples(model, task, evaluation, methods, rows, seed=4)
    assert [(example.name, example.title) for example in examples] == [(f"{row}.png", why) for row, why in rows]
    for (row, _), example in zip(rows, examples, strict=True):
        assert np.allclose(example.clean, images.arrays[row] / 255, atol=1e-6)
        for name in methods:
            assert example.psnr[name] == pytest.approx(evaluation.method(name).scores["psnr"][row], abs=1e-3)
            error = np.mean((example.restored[name] - example.clean) ** 2)
            assert -10 * np.log10(error) == pytest.approx(example.psnr[name], abs=1e-2)
    best, worst = (next(e for e in examples if e.title == why) for why in ("best", "worst"))
    scores = evaluation.ours.scores["psnr"]
    assert best.psnr[OURS] == pytest.approx(scores.max(), abs=1e-3)
    assert worst.psnr[OURS] == pytest.approx(scores.min(), abs=1e-3)
    other_seed = make_examples(model, task, evaluation, methods, rows, seed=5)
    assert not np.array_equal(other_seed[0].restored["input"], examples[0].restored["input"])


def test_examples_of_pairs_show_the_pairs(model: Model, make_image: Callable[..., np.ndarray]) -> None:
    noisy, clean = ([make_image(n + k, 20, 24) for n in range(3)] for k in (0, 10))
    images = replace(Images("pairs", noisy, list("abc")), targets=clean)
    evaluation = evaluate_model(model, Task("denoise", None), evaluated_images(images), baselines=["input"])
    example = make_examples(model, Task("denoise", None), evaluation, ["input", OURS], [(1, "typical")], 0)[0]
    assert np.allclose(example.clean, clean[1] / 255, atol=1e-6)
    assert np.allclose(example.restored["input"], noisy[1] / 255, atol=1e-6)


def test_of_a_large_image_the_part_with_most_detail_is_shown(model: Model) -> None:
    array = np.full((300, 600, 3), 90, np.uint8)
    array[40:50, 520:590:2] = 250  # stripes at the right
    images = Images("large", [array], ["a"])
    evaluation = evaluate_model(
        model, Task("denoise", parse("gaussian:5")), evaluated_images(images), baselines=["input"]
    )
    example = make_examples(model, Task("denoise", parse("gaussian:5")), evaluation, ["input", OURS], [(0, "best")], 0)[
        0
    ]
    assert example.clean.shape == example.restored[OURS].shape == (MOST_PIXELS, MOST_PIXELS, 3)
    assert (example.clean > 0.9).sum() > 500


def test_large_images_are_shown_by_their_middle() -> None:
    image = torch.arange(300.0).view(1, 1, 300, 1).expand(1, 3, 300, 10) / 300
    shown = middle(image)
    assert shown.shape == (MOST_PIXELS, 10, 3)
    assert shown[0, 0, 0] == pytest.approx(22 / 300)
    assert middle(torch.tensor([[[[-0.5, 0.5, 1.5]]]])).ravel().tolist() == [0.0, 0.5, 1.0]
