"""The yardstick: the same pixels for everybody, intervals and verdicts worked by hand, what is written down."""

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import median_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import cuello
from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.data.batches import Batches
from cuello.data.images import Images
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages, evaluated_crops, evaluated_images, is_binary
from cuello.jobs.images.evaluation import (
    OURS,
    Draw,
    evaluate_model,
    has_levels,
    result_of,
    tune,
)
from cuello.jobs.images.methods import (
    Difference,
    Method,
    counted_images,
    deciding_of,
    difference,
    left_out,
    order_key,
    verdict_of,
)
from cuello.jobs.images.pairs import Task
from cuello.report.page import Table
from cuello.runs.directory import Run
from cuello.scoring.baselines import BASELINES
from cuello.scoring.metrics import METRICS

MakeImage = Callable[..., np.ndarray]
NOISE = Task("denoise", parse("salt-pepper:0.2"))


@pytest.fixture(scope="module")
def few(make_image: MakeImage) -> Images:
    """Five images of different sizes."""
    arrays = [make_image(number, 16 + 2 * number, 24) for number in range(5)]
    return Images("few", arrays, [f"{number}.png" for number in range(5)])


# Differences and verdicts


def method(name: str, *psnr: float) -> Method:
    return Method(name, name.title(), {"psnr": np.array(psnr), "mse": np.array(psnr)}, None, 1.0)


def test_a_difference_by_hand() -> None:
    found = difference(method(OURS, 30, 31, 29, 30), method("tv", 29, 31, 30, 27), list("abcd"))
    assert (found.against, found.label, found.mean, found.wins, found.images) == ("tv", "Tv", 0.75, 2, 4)
    assert np.isnan([found.low, found.high]).all(), "four photographs are too few for an interval"


def test_five_photographs_are_enough_for_an_interval() -> None:
    found = difference(method(OURS, 30, 31, 29, 30, 31), method("tv", 29, 31, 30, 27, 31), list("abcde"))
    assert -1 <= found.low <= found.mean == 0.6 <= found.high <= 3


def gain(against: str, mean: float, low: float, high: float) -> Difference:
    return Difference(against, f"the {against}", mean, low, high, 7, 10)


NAN = float("nan")


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        (
            [gain("input", 9, 8, 10), gain("tv", 1.234, 0.5, 2)],
            "Beats the best classical method (the tv) by 1.23 dB (95% interval +0.50 to +2.00), on 7 of 10 images.",
        ),
        (
            [gain("input", 9, 8, 10), gain("tv", -1.5, -2, -1), gain("median-3", 3, 2, 4)],
            "Does not beat the best classical method (the tv): 1.50 dB worse (95% interval -2.00 to -1.00), "
            "better on 7 of 10 images.",
        ),
        (
            [gain("median-3", -0.5, -1, -0.2), gain("tv", -1.5, -2, -1)],
            "Does not beat the best classical method (the tv): 1.50 dB worse (95% interval -2.00 to -1.00), "
            "better on 7 of 10 images. Does not beat even a 3×3 median filter.",
        ),
        (
            [gain("median-3", -1.5, -2, -1)],
            "Does not beat the best classical method (the median-3): 1.50 dB worse (95% interval -2.00 to -1.00), "
            "better on 7 of 10 images.",
        ),
        (
            [gain("input", -2, -3, -1), gain("tv", 1, 0.5, 2)],
            "Does not beat doing nothing: 2.00 dB worse (95% interval -3.00 to -1.00), better on 7 of 10 images.",
        ),
        (
            [gain("tv", 0.2, -0.1, 0.5)],
            "Cannot be told apart from the best classical method (the tv): +0.20 dB (95% interval -0.10 to +0.50), "
            "better on 7 of 10 images.",
        ),
        (
            [gain("tv", -0.2, -0.5, 0.1)],
            "Cannot be told apart from the best classical method (the tv): -0.20 dB (95% interval -0.50 to +0.10), "
            "better on 7 of 10 images.",
        ),
        ([gain("tv", 0.5, NAN, NAN)], "Beats the best classical method (the tv) by 0.50 dB, on 7 of 10 images."),
        (
            [gain("tv", -0.5, NAN, NAN)],
            "Does not beat the best classical method (the tv): 0.50 dB worse, better on 7 of 10 images.",
        ),
        ([], "Nothing to compare with: no classical method was run."),
    ],
)
def test_verdicts(differences: list[Difference], sentence: str) -> None:
    assert verdict_of(differences) == sentence


def test_images_that_a_method_restores_perfectly_count_for_no_psnr() -> None:
    errors = {OURS: [0.1, 0.001, 0.01], "tv": [0.01, 1e-11, 0.01], "median-3": [0.1, 0.1, 0.1]}
    counted = counted_images([np.array(mse) for mse in errors.values()])
    methods = {
        name: Method(
            name, name, {"mse": np.array(mse), "psnr": -10 * np.log10(np.maximum(mse, 1e-10))}, None, 1.0, counted
        )
        for name, mse in errors.items()
    }
    assert left_out(list(methods.values())) == 1
    assert methods["tv"].mean("psnr") == pytest.approx(20.0), "the hundred decibels are not in it"
    assert methods[OURS].mean("psnr") == pytest.approx(15.0), "all methods are compared on the same images"
    assert methods[OURS].mean("mse") == pytest.approx(0.111 / 3), "the error is that of all images"
    found = difference(methods[OURS], methods["tv"], list("abc"))
    assert (found.mean, found.wins, found.images) == (pytest.approx(-5.0), 0, 2)


def test_where_every_image_is_perfect_the_error_decides() -> None:
    errors = {OURS: np.array([0.0, 0.2]), "tv": np.array([0.1, 0.0])}
    counted = counted_images(list(errors.values()))
    ours, other = (Method(n, n, {"mse": mse, "psnr": -mse}, None, 1.0, counted) for n, mse in errors.items())
    assert np.isnan(ours.mean("psnr"))
    assert deciding_of(ours.means) == "mse"
    assert order_key(other.means) < order_key(ours.means), "0.05 before 0.1"
    found = difference(ours, other, ["a", "b"], metric="mse")
    assert (found.mean, found.wins, found.images) == (pytest.approx(-0.05), 1, 2)
    sentence = "Does not beat the best classical method (tv): 0.050000 higher in MSE, better on 1 of 2 images."
    assert verdict_of([found]) == sentence


def test_a_perfect_image_is_left_out_and_said(model: Model, few: Images) -> None:
    """A pair of the same image twice: doing nothing is perfect."""
    same = replace(few, targets=[few.arrays[0], *(255 - array for array in few.arrays[1:])])
    found = evaluate_model(model, Task("denoise", None), evaluated_images(same), baselines=["input", "median-3"])
    written = result_of(found)
    assert written.values["protocol"]["left_out_of_psnr"] == 1
    each = found.ours.scores["psnr"]
    assert written.values["methods"][OURS]["psnr"] == pytest.approx(each[1:].mean())
    assert written.values["gain_in_psnr"]["input"]["images"] == 4
    assert "1 images that a method restores perfectly" in str(written.shown)


# The same pixels for everybody


def test_scores_are_the_metrics_of_the_degraded_pixels_worked_by_hand(model: Model, few: Images) -> None:
    evaluation = evaluate_model(model, NOISE, evaluated_images(few), seed=11, baselines=["input", "median-3"])
    assert [row.name for row in evaluation.methods] == ["input", "median-3", OURS]
    for index, array in enumerate(few.arrays):
        clean = array.astype(np.float32) / 255
        x = torch.from_numpy(clean).permute(2, 0, 1)[None]
        noisy = NOISE.degradation(x, generator(11, "evaluation noise", 0, index))[0]  # type: ignore[misc]
        noisy = noisy.permute(1, 2, 0).numpy()
        restored = {"input": noisy, "median-3": median_filter(noisy, (3, 3, 1), mode="reflect"), OURS: model(noisy)}
        for name, image in restored.items():
            scores = {metric: values[index] for metric, values in evaluation.method(name).scores.items()}
            assert set(scores) == {"mse", "psnr", "ssim"}
            assert scores["mse"] == pytest.approx(np.mean((image - clean) ** 2), rel=1e-4)
            assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(clean, image, data_range=1), abs=1e-3)
            reference = structural_similarity(
                clean, image, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False, win_size=11,
            )  # fmt: skip
            assert scores["ssim"] == pytest.approx(reference, abs=2e-4)


def same_sized(make_image: MakeImage, count: int = 7) -> Images:
    return Images("same", [make_image(n, 16, 16) for n in range(count)], [f"{n % 3}.png" for n in range(count)])


def test_noise_does_not_depend_on_the_batch_or_on_what_else_is_evaluated(model: Model, make_image: MakeImage) -> None:
    images = same_sized(make_image)
    task = Task("denoise", parse("salt-pepper:0.3+gaussian:20"))

    def scores(batch_size: int, **options: Any) -> np.ndarray:
        crops = evaluated_crops(Batches(images, np.arange(7), batch_size=batch_size))
        return evaluate_model(model, task, crops, seed=3, **options).method("input").scores["mse"]

    expected = scores(64, baselines=["input"])
    for found in (
        scores(1, baselines=["input"]),
        scores(3, baselines=["median-5", "input"]),
        scores(64, baselines=["input"], sweep=(0.1, 0.5)),
    ):
        assert np.array_equal(found, expected)
    fewer = evaluate_model(
        model, task, evaluated_images(replace(images, arrays=images.arrays[:3], names=images.names[:3])), seed=3,
        baselines=["input"],
    )  # fmt: skip
    assert np.array_equal(fewer.method("input").scores["mse"], expected[:3])
    other = evaluated_images(images)
    assert not np.array_equal(
        evaluate_model(model, task, other, seed=4, baselines=["input"]).method("input").scores["mse"], expected
    )


def test_a_range_counts_at_its_middle(model: Model, few: Images) -> None:
    ranged, middle = (Task("denoise", parse(spec)) for spec in ("salt-pepper:0.1..0.5", "salt-pepper:0.3"))
    found, expected = (
        evaluate_model(model, task, evaluated_images(few), baselines=["input"]) for task in (ranged, middle)
    )
    assert found.noise == "salt-pepper:0.3"
    assert np.array_equal(found.ours.scores["mse"], expected.ours.scores["mse"])


def test_the_sweep_varies_the_level_alone(model: Model, few: Images) -> None:
    evaluation = evaluate_model(
        model, NOISE, evaluated_images(few), sweep=(0.1, 0.2, 0.6), baselines=["input", "median-3"]
    )
    assert [level.level for level in evaluation.sweep] == [0.1, 0.2, 0.6]
    errors = [level.mse["input"] for level in evaluation.sweep]
    assert errors == sorted(errors)
    assert errors[1] == pytest.approx(evaluation.method("input").mean("mse")), "the level it was evaluated at"
    assert set(evaluation.sweep[0].psnr) == {"input", "median-3", OURS}


def test_a_sweep_looks_at_no_more_than_its_share(
    model: Model, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["cuello.jobs.images.evaluation"], "SWEEP_IMAGES", 3)
    told: list[tuple[str, float, float]] = []
    evaluation = evaluate_model(
        model, NOISE, evaluated_images(same_sized(make_image)), sweep=(0.2,), baselines=["input"],
        progress=lambda event: told.append((event.stage, event.done, event.total)),
    )  # fmt: skip
    scores = evaluation.method("input").scores["mse"]
    assert evaluation.sweep[0].mse["input"] == pytest.approx(scores[[0, 3, 6]].mean())
    assert told[-1] == ("noise 0.2", 3, 3)
    assert ("evaluating", 7, 7) in told
    assert evaluation.protocol["sweep_images"] == 3


def test_strengths_are_tuned_to_the_smallest_error(few: Images) -> None:
    images = evaluated_images(replace(few, arrays=few.arrays[:1], names=few.names[:1]))
    strengths = {
        spec.name: value for spec, value in tune([BASELINES["gaussian"], BASELINES["median-3"]], Draw(NOISE, images, 0))
    }
    assert strengths["median-3"] == 3
    from scipy.ndimage import gaussian_filter

    noisy, clean, *_ = next(iter(Draw(NOISE, images, 0, 1).pairs()))
    image, target = (tensor[0].permute(1, 2, 0).numpy() for tensor in (noisy, clean))
    errors = {
        s: np.mean((gaussian_filter(image, (s, s, 0), mode="reflect") - target) ** 2)
        for s in BASELINES["gaussian"].strengths
    }
    assert strengths["gaussian"] == min(errors, key=lambda strength: errors[strength])


def test_methods_that_need_larger_images_are_left_out(model: Model, make_image: MakeImage) -> None:
    tiny = Images("tiny", [make_image(n, 6, 6) for n in range(2)], ["a", "b"])
    evaluation = evaluate_model(model, NOISE, evaluated_images(tiny))
    names = {row.name for row in evaluation.methods}
    assert "wavelet" not in names
    assert "median-3" in names
    assert "ssim" not in evaluation.ours.scores


def test_an_unknown_baseline_names_the_nearest(model: Model, few: Images) -> None:
    with pytest.raises(CuelloError, match=r"no baseline called 'wavelets'. Did you mean 'wavelet'"):
        evaluate_model(model, NOISE, evaluated_images(few), baselines=["wavelets"])


# Binary images


@pytest.mark.parametrize(
    ("values", "dtype", "binary"),
    [((0, 255), np.uint8, True), ((0, 254), np.uint8, False), ((0, 65535), np.uint16, True), ((0, 1), np.float32, True),
     ((0, 1), np.uint8, False), ((0, 0.5), np.float32, False)],
)  # fmt: skip
def test_binary_images_are_told(values: tuple[float, float], dtype: Any, binary: bool) -> None:
    array = np.array(values, dtype).reshape(1, 2, 1)
    assert is_binary(Images("a", [array], ["a"])) is binary
    assert is_binary(Images("a", [np.zeros_like(array)], ["a"], targets=[array])) is binary, "the clean ones count"


def test_wrong_pixels_are_counted_for_binary_images_only(model: Model, few: Images, make_image: MakeImage) -> None:
    binary = Images(
        "b", [np.where(make_image(n, 16, 16) > 127, 255, 0).astype(np.uint8) for n in range(3)], list("abc")
    )
    evaluation = evaluate_model(model, NOISE, evaluated_images(binary), seed=2, baselines=["input"])
    for index, array in enumerate(binary.arrays):
        x = torch.from_numpy(array / 255).float().permute(2, 0, 1)[None]
        noisy = NOISE.degradation(x, generator(2, "evaluation noise", 0, index))  # type: ignore[misc]
        assert evaluation.method("input").scores["wrong"][index] == int((noisy != x).sum())
    assert "wrong" not in evaluate_model(model, NOISE, evaluated_images(few), baselines=["input"]).ours.scores
    swept = evaluate_model(model, NOISE, evaluated_images(binary), seed=2, baselines=["input"], sweep=(0.2, 0.6))
    here, more = (level.means("wrong") for level in swept.sweep)
    assert here["input"] == evaluation.method("input").mean("wrong"), "the level it was evaluated at"
    assert here["input"] < more["input"]
    tables = result_of(swept).shown
    assert [table.title for table in tables if isinstance(table, Table)][1] == "Wrong pixels per image by noise level"
    assert f"{here['input']:.2f}" in str(tables)
    assert METRICS["wrong"].binary_only


# What is written down


def test_metrics_json_and_images_csv(model: Model, few: Images, tmp_path: Path) -> None:
    evaluation = evaluate_model(
        model, NOISE, evaluated_images(few), seed=5, sweep=(0.1,), baselines=["input", "median-3"]
    )
    run = Run(tmp_path)
    result_of(evaluation).save(run)
    found = json.loads(run.metrics_path.read_text())
    assert found == json.loads(json.dumps(result_of(evaluation).values))
    assert found["verdict"] == evaluation.verdict
    assert found["noise"] == "salt-pepper:0.2"
    assert found["methods"]["median-3"]["psnr"] == pytest.approx(evaluation.method("median-3").mean("psnr"))
    assert found["methods"]["median-3"]["strength"] == 3
    assert found["methods"]["network"]["strength"] is None
    assert found["gain_in_psnr"]["median-3"]["images"] == 5
    assert found["sweep"][0]["level"] == 0.1
    assert (found["protocol"]["images"], found["protocol"]["noise_seed"]) == (5, 5)
    rows = list(csv.DictReader(io.StringIO(run.images_path.read_text())))
    assert [row["image"] for row in rows] == [f"{n}.png" for n in range(5)]
    for index, row in enumerate(rows):
        assert float(row["network psnr"]) == pytest.approx(evaluation.ours.scores["psnr"][index], rel=1e-5)
        assert float(row["input mse"]) == pytest.approx(evaluation.method("input").scores["mse"][index], rel=1e-5)
    mean = np.mean([float(row["network psnr"]) for row in rows])
    assert found["methods"]["network"]["psnr"] == pytest.approx(mean, rel=1e-5)


def test_an_interval_that_is_no_number_is_null(model: Model, few: Images) -> None:
    single = replace(few, arrays=few.arrays[:1], names=few.names[:1])
    evaluation = evaluate_model(model, NOISE, evaluated_images(single), baselines=["input"])
    written = result_of(evaluation).values
    assert written["gain_in_psnr"]["input"]["interval"] == [None, None]
    assert "NaN" not in json.dumps(written)
    assert evaluation.protocol["photographs"] == 1


def test_the_csv_says_where_each_crop_is(model: Model, few: Images) -> None:
    batches = Batches(few, np.array([1, 3]), batch_size=64, crop=8, layout="grid")
    evaluation = evaluate_model(model, NOISE, evaluated_crops(batches), baselines=["input"])
    rows = list(csv.DictReader(io.StringIO(result_of(evaluation).csv)))
    # 18×24 and 22×24 hold two rows of three crops of 8 pixels each
    expected = [(name, top, left) for name in ("1.png", "3.png") for top in (0, 8) for left in (0, 8, 16)]
    assert [(row["image"], int(row["top"]), int(row["left"])) for row in rows] == expected
    assert evaluation.protocol["images"] == 12
    assert evaluation.protocol["photographs"] == 2


def test_has_levels() -> None:
    assert has_levels(parse("gaussian:5"))
    assert has_levels(parse("salt-pepper:0.1+gaussian:5"))
    assert not has_levels(parse("none"))
    assert not has_levels(None)


# Of a run, and of pairs


def test_a_finished_runs_report_is_of_its_test_images(trained: Run) -> None:
    found = trained.metrics
    assert found["protocol"]["photographs"] == 2, "a third of six images"
    assert "most" in found["protocol"]["crops"], "it is said how crops were chosen"
    assert found["noise"] == "salt-pepper:0.3"
    assert [level["level"] for level in found["sweep"]] == [0.1, 0.4]
    again = cuello.evaluate(trained.path, report=False, sweep=(0.1, 0.4))
    for name, row in found["methods"].items():
        assert again.method(name).mean("mse") == row["mse"]


def test_other_images_are_evaluated_whole(trained: Run, images: Path) -> None:
    before = trained.metrics_path.read_bytes()
    evaluation = cuello.evaluate(trained.path, images, baselines=["input"], report=False, noise="gaussian:30", seed=9)
    assert evaluation.images.count == 6
    assert evaluation.images.size == (40, 40)
    assert evaluation.noise == "gaussian:30"
    assert trained.metrics_path.read_bytes() == before


def test_pairs_bring_their_own_noise(trained: Run, images: Path, opposites: Path) -> None:
    evaluation = cuello.evaluate(trained.path, opposites, target=images, baselines=["input"], report=False)
    assert evaluation.noise is None
    clean = [np.asarray(Image.open(path)) / 255 for path in sorted(images.iterdir())]
    known = [-10 * np.log10(np.mean((1 - 2 * one) ** 2)) for one in clean]
    assert np.allclose(evaluation.method("input").scores["psnr"], known, atol=1e-3)
    with pytest.raises(CuelloError, match=r"no noise level to sweep for 'pairs of images'"):
        cuello.evaluate(trained.path, opposites, target=images, sweep=(1,))


def test_evaluated_images_know_their_smallest_side(few: Images) -> None:
    images = evaluated_images(few)
    assert isinstance(images, EvaluatedImages)
    assert images.size == (16, 16)
    assert images.count == 5
