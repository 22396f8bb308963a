"""The matrix: every value worked by hand from networks that do nothing, or exactly the right thing."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.files import check_free
from cuello.core.types import Output
from cuello.data.images import Images
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import EvaluatedImages, evaluated_images
from cuello.jobs.images.evaluation import evaluate_model
from cuello.jobs.images.matrix import (
    CLASSICAL,
    NETWORK,
    Matrix,
    best_rows,
    evaluate_matrix,
    kind_of,
    trained_at,
    trained_levels,
)
from cuello.jobs.images.matrix_figures import contrast, heat_map, level_curves
from cuello.jobs.images.matrix_page import FILES, marked, result_of, save_matrix, verdict_of
from cuello.jobs.images.pairs import Task
from cuello.models.base import ImageNetwork
from cuello.models.catalog import Architecture
from cuello.report.figures import DARK, LIGHT
from cuello.runs.artefact import Artefact

SIDE = 16


class Same(ImageNetwork):
    """Gives its input back, or its negative."""

    stride, receptive_field = 1, 1

    def __init__(self, negative: bool = False):
        super().__init__()
        self.negative = negative
        self.register_buffer("nothing", torch.zeros(1))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        return Output(1 - x if self.negative else x)


def make_model(noise: str, negative: bool = False, channels: int = 1) -> Model:
    architecture = Architecture("same", "custom", {"channels": channels})
    return Model(Artefact(architecture, "denoise", noise, {}), Same(negative).eval())


def black(count: int = 3) -> EvaluatedImages:
    """Black images: with n of their 256 pixels inverted, their mean squared error is n / 256."""
    arrays = [np.zeros((SIDE, SIDE, 1), np.uint8)] * count
    return evaluated_images(Images("black", arrays, [f"{number}.png" for number in range(count)]))


def task(noise: str) -> Task:
    return Task("denoise", parse(noise))


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    """Networks named in another order than that of their levels: the range, the negative, and nothing at all."""
    models = {
        "range": make_model("invert:0..256"),
        "negative": make_model("invert:256", negative=True),
        "nothing": make_model("invert:64"),
    }
    tasks = {name: task(model.artefact.noise or "") for name, model in models.items()}
    return evaluate_matrix(models, tasks, black(), baselines=["input", "median-3"])


# What is measured


def test_levels_are_those_of_the_training_and_rows_go_by_them(matrix: Matrix) -> None:
    assert matrix.levels == (64, 256), "the range adds no level of its own where others have one"
    assert [row.name for row in matrix.rows] == ["nothing", "negative", "range", "input", "median-3"]
    assert [row.trained for row in matrix.rows] == ["64", "256", "0..256", "", ""]
    assert [row.kind for row in matrix.rows] == [NETWORK] * 3 + [CLASSICAL] * 2
    assert matrix.row("median-3").label == "median 3×3"
    assert matrix.noise == "invert"


def test_errors_by_hand(matrix: Matrix) -> None:
    assert matrix.row("nothing").mse == pytest.approx({64: 0.25, 256: 1.0})
    assert matrix.row("negative").mse == pytest.approx({64: 0.75, 256: 0.0})
    assert matrix.row("nothing").psnr == pytest.approx({64: 6.0206, 256: np.nan}, abs=1e-4, nan_ok=True)
    assert matrix.row("negative").psnr == pytest.approx({64: 1.2494, 256: np.nan}, abs=1e-4, nan_ok=True)
    assert matrix.protocol["left_out_of_psnr"] == {"256": 3}, "at 256 the negative is perfect: no PSNR counts"
    assert matrix.row("nothing").wrong == {64: 64, 256: 256}, "black images are binary"
    assert matrix.row("negative").wrong == {64: 192, 256: 0}
    assert matrix.row("median-3").mse[256] == 1.0, "all pixels are white: so is their median"
    assert all(row.milliseconds > 0 for row in matrix.rows)


def test_the_best_of_each_level(matrix: Matrix) -> None:
    assert matrix.best["mse"][256] == matrix.best["psnr"][256] == "negative"
    assert matrix.best["psnr"][64] == "median-3"
    assert best_rows([64], [matrix.row("nothing"), matrix.row("range")])["psnr"] == {64: "nothing"}, "the first of two"


def test_all_methods_see_the_same_pixels() -> None:
    models = {"a": make_model("salt-pepper:0.2"), "b": make_model("salt-pepper:0.6")}
    tasks = {name: task(model.artefact.noise or "") for name, model in models.items()}
    found = evaluate_matrix(models, tasks, black(), (0.1, 0.5, 0.9), baselines=["input"], seed=5)
    assert found.row("a").mse == found.row("b").mse == found.row("input").mse
    for level in found.levels:
        alone = evaluate_model(models["a"], task(f"salt-pepper:{level}"), black(), seed=5, baselines=["input"])
        assert found.row("a").mse[level] == alone.ours.mean("mse")
        # on black images only salt is an error of 1: its share is binomial with p = level / 2, n = 768
        spread = (level / 2 * (1 - level / 2) / 768) ** 0.5
        assert found.row("a").mse[level] == pytest.approx(level / 2, abs=4 * spread)


def test_most_spreads_the_images_and_progress_counts_levels_times_images() -> None:
    arrays = [np.full((SIDE, SIDE, 1), value, np.uint8) for value in (0, 51, 102, 153, 204)]
    subjects = evaluated_images(Images("grey", arrays, list("abcde")))
    told: list[tuple[str, float, float]] = []
    found = evaluate_matrix(
        {"a": make_model("missing:1,fill=1")}, {"a": task("missing:1,fill=1")}, subjects, (0, 1), baselines=[], most=3,
        progress=lambda event: told.append((event.stage, event.done, event.total)),
    )  # fmt: skip
    assert found.row("a").mse == pytest.approx({0: 0.0, 1: (1 + 0.6**2 + 0.2**2) / 3}), "the first, third and fifth"
    assert told == [("levels × images", done, 6) for done in (1, 2, 3, 4, 5, 6)]
    assert found.protocol["images"] == 3


# What belongs together


@pytest.mark.parametrize(
    ("noise", "level", "kind"),
    [
        ("salt-pepper:0.2", "0.2", "salt-pepper"),
        ("salt-pepper:0.1..0.9,per=channel", "0.1..0.9", "salt-pepper,per=channel"),
        ("gaussian:25", "25", "gaussian"),
        ("blur:1+gaussian:10", "1", "blur+gaussian:10"),
    ],
)
def test_trained_level_and_kind(noise: str, level: str, kind: str) -> None:
    degradation = parse(noise)
    assert (trained_at(task(noise)), kind_of(degradation)) == (level, kind)


def test_a_range_counts_at_its_middle_where_there_is_nothing_else() -> None:
    ranges = {"a": task("gaussian:10..30"), "b": task("gaussian:40..60")}
    assert trained_levels(ranges) == (20, 50)
    assert trained_levels({**ranges, "c": task("gaussian:5"), "d": task("gaussian:5")}) == (5,)


@pytest.mark.parametrize(
    ("others", "channels", "message"),
    [
        ("gaussian:25", 1, "the noise of a is salt-pepper:0.2, that of b is gaussian:25"),
        ("salt-pepper:0.2,per=channel", 1, "the noise, beside its level, of a is salt-pepper:0.2, that of b is salt-"),
        ("salt-pepper:0.4", 3, "the number of channels of a is 1, that of b is 3"),
        ("none", 1, "b was trained on 'none': there is no noise level to vary"),
    ],
)
def test_what_does_not_belong_together(others: str, channels: int, message: str) -> None:
    models = {"a": make_model("salt-pepper:0.2"), "b": make_model(others, channels=channels)}
    with pytest.raises(CuelloError, match=re.escape(message)):
        evaluate_matrix(models, {"a": task("salt-pepper:0.2"), "b": task(others)}, black())


def test_pairs_names_and_tasks_that_cannot_be() -> None:
    model = make_model("gaussian:25")
    with pytest.raises(CuelloError, match="a was trained on pairs of images"):
        evaluate_matrix({"a": model}, {"a": Task("denoise", None)}, black())
    with pytest.raises(CuelloError, match="cannot be called 'median-3'"):
        evaluate_matrix({"median-3": model}, {"median-3": task("gaussian:25")}, black())
    with pytest.raises(CuelloError, match="needed one task per network"):
        evaluate_matrix({"a": model}, {}, black())


# What is written down


def test_csv_and_json(matrix: Matrix) -> None:
    lines = list(csv.DictReader(io.StringIO(result_of(matrix).csv)))
    assert len(lines) == 5 * 2
    assert lines[0] == {
        "method": "nothing", "label": "nothing", "kind": "network", "trained": "64", "tested": "64", "mse": "0.25",
        "psnr": lines[0]["psnr"], "wrong": "64",
    }  # fmt: skip
    assert float(lines[0]["psnr"]) == pytest.approx(6.0206, abs=1e-4)
    found = json.loads(json.dumps(result_of(matrix).values))
    assert found["levels"] == [64, 256]
    assert found["rows"][1]["mse"] == {"64": pytest.approx(0.75), "256": 0.0}
    assert found["best"]["psnr"] == {"64": "median-3", "256": "negative"}


def test_stars_and_the_sentence(matrix: Matrix) -> None:
    assert marked(matrix, "psnr", "negative") == ["1.25 ", "–*"]
    said = "by tested level: 64: median 3×3; 256: negative (trained at 256)."
    assert verdict_of(matrix) == f"Fewest wrong pixels {said}"
    grey = replace(matrix, rows=tuple(replace(row, wrong=None) for row in matrix.rows))
    assert verdict_of(grey) == f"Highest mean PSNR {said}"


def test_of_equally_many_wrong_pixels_the_lower_error_is_better(matrix: Matrix) -> None:
    rows = [
        replace(matrix.row("nothing"), name=name, mse={64: mse}, psnr={64: psnr}, wrong={64: wrong})
        for name, mse, psnr, wrong in (("a", 0.3, 9.0, 1), ("b", 0.2, 7.0, 1), ("c", 0.1, 8.0, 2))
    ]
    assert best_rows([64], rows) == {"mse": {64: "c"}, "psnr": {64: "a"}, "wrong": {64: "b"}}


def test_the_page_and_its_figures(matrix: Matrix, tmp_path: Path) -> None:
    folder = tmp_path / "matrix"
    check_free(folder, FILES)
    save_matrix(folder, matrix)
    assert all((folder / name).stat().st_size for name in FILES)
    page = (folder / "matrix.html").read_text()
    assert "256: negative (trained at 256)" in page
    assert page.count("data:image/png") == 4, "two pictures, each for a light and a dark page"
    with pytest.raises(CuelloError, match=re.escape("holds " + ", ".join(FILES) + " already")):
        check_free(folder, FILES)
    check_free(folder, FILES, overwrite=True)


def test_figures_of_a_single_level_and_of_equal_values() -> None:
    models = {"a": make_model("gaussian:25"), "b": make_model("gaussian:25")}
    tasks = {name: task("gaussian:25") for name in models}
    found = evaluate_matrix(models, tasks, black(), baselines=[])
    for theme in (LIGHT, DARK):
        assert heat_map(found, theme).startswith(b"\x89PNG")
        assert level_curves(found, theme).startswith(b"\x89PNG")


def test_contrast_by_hand() -> None:
    assert contrast((1.0, 1.0, 1.0), 0.0) == pytest.approx(21)
    assert contrast((0.0, 0.0, 0.0), 0.0) == pytest.approx(1)
