"""A classifier's judgement: intervals, confusion and calibration by hand, the whole of a run, what is refused."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import cuello
from cuello.core.errors import CuelloError
from cuello.jobs.classify.evaluation import (
    Classification,
    Guesses,
    calibration_error,
    class_scores,
    confusion_matrix,
    paired_interval,
    reliability,
    result_of,
    verdict_of,
    wilson_interval,
    worst_mistakes,
)
from cuello.jobs.images.evaluated import EvaluatedImages
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.scoring.references import fit_class_references, logistic_regression

TINY: dict[str, Any] = {"epochs": 3, "batch_size": 8, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def examples(make_classes: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classes(tmp_path_factory.mktemp("data") / "light")


@pytest.fixture(scope="module")
def run(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished classifier with its report; not to be changed."""
    return cuello.train("classify", examples, output=tmp_path_factory.mktemp("runs") / "light", **TINY)


def judged(truth: list[int], probabilities: list[list[float]], other: list[int] | None = None) -> Classification:
    given_truth, found = np.array(truth), np.array(probabilities)
    classes = [chr(97 + k) for k in range(found.shape[1])]
    subjects = EvaluatedImages(lambda: [], [str(k) for k in truth], [(0, 0)] * len(truth), (1, 1), binary=False)
    rows = [Guesses("other", "the other", np.array(other), 1.0)] if other is not None else []
    ours = Guesses("network", "ours", found.argmax(1), 1.0)
    return Classification(classes, given_truth, found, [*rows, ours], subjects)


class TestNumbers:
    @given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_wilson_is_scipys(self, seen: tuple[int, int]) -> None:
        right, count = seen
        expected = stats.binomtest(right, count).proportion_ci(method="wilson")
        assert wilson_interval(right, count) == pytest.approx((expected.low, expected.high), abs=1e-6)

    def test_a_paired_difference_by_hand(self) -> None:
        """Ten images: only ours has four right, only the other one: d = .3, variance (5 - 9/10) / 100."""
        ours = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 1], bool)
        other = np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 1], bool)
        half = 1.959964 * math.sqrt(4.1) / 10
        assert paired_interval(ours, other) == pytest.approx((0.3, 0.3 - half, 0.3 + half))
        assert paired_interval(ours, ours) == (0, 0, 0)

    def test_confusion_precision_and_recall_by_hand(self) -> None:
        confusion = confusion_matrix(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0]), 4)
        assert confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
        first, second, third, never = class_scores(confusion, "abcd")
        assert (first.precision, first.recall, first.f1) == pytest.approx((2 / 4, 2 / 3, 4 / 7))
        assert (second.precision, second.recall) == pytest.approx((1 / 2, 1 / 2))
        assert (third.images, third.predicted, third.recall) == (1, 0, 0)
        assert math.isnan(third.precision)
        assert math.isnan(never.recall)

    def test_calibration_by_hand(self) -> None:
        """Two bins, (0, .5] and (.5, 1]: in the upper, confidences .6 and 1, one of them right; below, .5, right."""
        probabilities = np.array([[0.6, 0.4], [0.0, 1.0], [0.5, 0.5]])
        low, high = reliability(probabilities, np.array([1, 1, 0]), bins=2)
        assert (low.low, low.high, low.images, low.confidence, low.accuracy) == (0, 0.5, 1, 0.5, 1)
        assert (high.images, high.confidence, high.accuracy) == (2, pytest.approx(0.8), 0.5)
        assert calibration_error([low, high]) == pytest.approx(1 / 3 * 0.5 + 2 / 3 * 0.3)

    def test_calibration_is_torchmetrics(self) -> None:
        torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
        random = torch.Generator().manual_seed(0)
        probabilities = torch.softmax(2 * torch.randn(500, 4, generator=random, dtype=torch.float64), 1)
        truth = torch.randint(4, (500,), generator=random)
        expected = torchmetrics.multiclass_calibration_error(probabilities, truth, 4, n_bins=15, norm="l1")
        found = calibration_error(reliability(probabilities.numpy(), truth.numpy()))
        assert found == pytest.approx(float(expected), abs=1e-6)

    def test_the_most_confident_mistakes_come_first(self) -> None:
        found = judged([0, 0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.51, 0.49]])
        assert worst_mistakes(found) == [2, 1, 3]
        assert worst_mistakes(found, most=1) == [2]

    @pytest.mark.parametrize(
        ("wrong_ours", "wrong_other", "begins"),
        [(2, 60, "Beats the other by 29.0 points"), (60, 2, "Does not beat the other: 29.0 points worse"),
         (20, 21, "Cannot be told apart from the other: +0.5 points")],
    )  # fmt: skip
    def test_the_verdict(self, wrong_ours: int, wrong_other: int, begins: str) -> None:
        probabilities = [[0.1, 0.9]] * wrong_ours + [[0.9, 0.1]] * (200 - wrong_ours)
        found = judged([0] * 200, probabilities, [0] * (200 - wrong_other) + [1] * wrong_other)
        assert verdict_of(found).startswith(begins)
        assert f"{1 - wrong_ours / 200:.1%} of 200 images right" in found.verdict
        assert verdict_of(judged([0], [[1.0, 0.0]])).startswith("Nothing to compare with")

    def test_json_has_no_nan(self) -> None:
        found = result_of(judged([0, 0], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])).values
        json.dumps(found, allow_nan=False)
        assert found["scores"]["c"] == {"images": 0, "precision": None, "recall": None, "f1": None}
        assert found["cross_entropy"] == pytest.approx(-(math.log(0.9) + math.log(0.2)) / 2)


class TestReferences:
    def test_logistic_regression_is_where_its_gradient_vanishes(self) -> None:
        random = torch.Generator().manual_seed(0)
        x, labels = torch.randn(60, 5, generator=random), torch.randint(3, (60,), generator=random)
        weights, biases = logistic_regression(x, labels, 3)
        error = torch.softmax(x @ weights + biases, 1) - torch.nn.functional.one_hot(labels, 3)
        assert (x.T @ error + weights).abs().max() / 60 < 1e-4
        assert error.sum(0).abs().max() / 60 < 1e-4

    def test_the_majority_and_pixels_that_tell(self) -> None:
        labels = torch.tensor([0, 1, 1, 1, 2, 2] * 4)
        images = labels[:, None, None, None] / 2 + 0.01 * torch.rand(24, 1, 3, 3, generator=torch.Generator())
        majority, logistic = fit_class_references([(images[:10], labels[:10]), (images[10:], labels[10:])], "abc")
        assert majority.label == "always b"
        assert majority.run(images[:3]).tolist() == [1, 1, 1]
        assert torch.equal(logistic.run(images), labels)
        with pytest.raises(CuelloError, match="got images of 4 numbers"):
            logistic.run(torch.zeros(1, 1, 2, 2))


class TestRun:
    def test_it_writes_what_every_run_does(self, run: Run) -> None:
        metrics = run.metrics
        assert set(metrics["methods"]) == {"majority", "logistic", "network"}
        assert metrics["classes"] == ["bright", "dark"]
        assert np.array(metrics["confusion"]).sum() == metrics["images"]
        rows = list(csv.DictReader(run.images_path.read_text().splitlines()))
        assert len(rows) == metrics["images"]
        right = sum(row["class"] == row["predicted"] for row in rows) / len(rows)
        assert right == pytest.approx(metrics["methods"]["network"]["accuracy"])
        for row in rows:
            assert row["image"].startswith(row["class"])
            assert float(row["p bright"]) + float(row["p dark"]) == pytest.approx(1, abs=1e-4)
        page = run.report_path.read_text()
        assert metrics["verdict"].replace("+", "&#43;") in page or metrics["verdict"] in page
        assert "Expected calibration error" in page
        for name in ("learning", "confusion", "reliability"):
            assert (run.figures / f"{name}.png").is_file()

    def test_history_and_artefact_know_accuracy_and_classes(self, run: Run) -> None:
        last = run.history[-1]
        assert last.validation_accuracy is not None
        assert 0 <= last.validation_accuracy <= 1
        assert math.isnan(last.validation_psnr)
        assert "NaN" not in run.history_path.read_text()
        artefact = load_artefact(run.path)
        assert artefact.classes == ("bright", "dark")
        assert artefact.job == "classify"
        assert set(artefact.metrics) == {"epoch", "validation_accuracy"}

    def test_evaluating_again_gives_the_same(self, run: Run) -> None:
        found = cuello.evaluate_classifier(run.path, report=False)
        stored = dict(run.metrics)
        again = json.loads(json.dumps(result_of(found).values))
        for metrics in (stored, again):
            for method in metrics["methods"].values():
                del method["milliseconds_an_image"]
        assert again == stored

    def test_other_images_are_judged_by_the_names_of_their_classes(
        self, run: Run, make_classes: Callable[..., Path], tmp_path: Path
    ) -> None:
        others = make_classes(tmp_path / "others", 5, ("bright", "dark"))
        found = cuello.evaluate_classifier(run.model_path, others)
        assert len(found.truth) == 10
        assert [method.name for method in found.methods] == ["network"]
        (others / "dark").rename(others / "gloomy")
        with pytest.raises(CuelloError, match="5 images of the class 'gloomy', which this classifier does not know"):
            cuello.evaluate_classifier(run.path, others, report=False)

    def test_a_killed_training_goes_on_with_the_same_bits(self, run: Run, examples: Path, tmp_path: Path) -> None:
        settings = {**TINY, "epochs": 1, "schedule": "constant"}
        short = cuello.train("classify", examples, output=tmp_path / "short", report=False, **settings)
        cuello.resume(short.path, epochs=3, report=False)
        whole = cuello.train("classify", examples, output=tmp_path / "whole", report=False, **{**settings, "epochs": 3})
        ours, theirs = load_artefact(short.path).weights, load_artefact(whole.path).weights
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())

    def test_changed_labels_are_noticed(self, tmp_path: Path) -> None:
        images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
        np.savez(tmp_path / "some.npz", images=images, labels=np.arange(20) % 2)
        run = cuello.train("classify", tmp_path / "some.npz", output=tmp_path / "run", report=False, **TINY)
        np.savez(tmp_path / "some.npz", images=images, labels=np.arange(20) // 10)
        with pytest.raises(CuelloError, match="are not those it was trained on"):
            cuello.resume(run.path, epochs=4)
        with pytest.raises(CuelloError, match="are not those it was trained on"):
            cuello.evaluate_classifier(run.path)


class TestRefused:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"job": "classify", "model": "impulse-s"}, r"'impulse-s' gives images, not classes\. For classify, use e"),
            ({"job": "denoise", "model": "classify-s", "noise": "gaussian:9"}, r"gives classes, not images\. For den"),
            ({"job": "explain", "model": "net.py:Net"}, r"an estimator is built from the layers of the classifier"),
            ({"job": "classify", "loss": "mse"}, r"'mse' compares images, not classes\. .* loss='cross-entropy'"),
            ({"job": "denoise", "loss": "cross-entropy", "noise": "gaussian:9"}, r"compares classes, not images"),
            ({"job": "classify", "loss": "cross-entropy:1"}, r"a number above 0 and below 1"),
            ({"job": "classify", "noise": "gaussian:9"}, r"got noise='gaussian:9' for classify, .* its class should"),
        ],
    )
    def test_what_does_not_fit_the_job(self, settings: dict[str, Any], message: str, tmp_path: Path) -> None:
        with pytest.raises(CuelloError, match=message):
            cuello.train(data=tmp_path, output=tmp_path / "run", **settings)
        assert not (tmp_path / "run").exists()

    def test_a_class_without_training_images(self, make_classes: Callable[..., Path], tmp_path: Path) -> None:
        folder = make_classes(tmp_path / "few", 8)
        (folder / "odd").mkdir()
        shutil.copy(folder / "dark" / "00.png", folder / "odd" / "a.png")
        from cuello.data.split import split

        seed = next(seed for seed in range(99) if 16 not in split(17, 0.2, 0.15, seed).train)  # the last of 17 is it
        with pytest.raises(CuelloError, match="the class 'odd' has no image left for training"):
            cuello.train("classify", folder, output=tmp_path / "run", split_seed=seed, report=False, **TINY)

    def test_other_commands_say_that_it_is_a_classifier(
        self, run: Run, examples: Path, tmp_path: Path, refused: Callable[..., str]
    ) -> None:
        assert "is a classifier, which gives no image" in refused("apply", run.path, examples, tmp_path / "out")
        assert "Leave it out" in refused("evaluate", run.path, "--noise", "gaussian:9")
        with pytest.raises(CuelloError, match=r"got sweep=0\.1,0\.2, but .* is a classifier"):
            cuello.evaluate(run.path, sweep=[0.1, 0.2])

    def test_it_is_judged_and_compared_like_other_runs(self, run: Run) -> None:
        found = cuello.evaluate(run.path, report=False)
        assert found.accuracy(found.ours) == run.metrics["methods"]["network"]["accuracy"]
        row = cuello.compare([run.path], latency=False).groups[0].rows[0].runs[0]
        assert row.evaluated("accuracy") == run.metrics["methods"]["network"]["accuracy"]
        assert row.best_classical is not None
        ours = row.evaluated("accuracy")
        assert ours is not None
        assert row.gain == pytest.approx(ours - row.best_classical[1])

    def test_a_search_finds_the_best_by_accuracy(
        self, examples: Path, command: Callable[..., Any], tmp_path: Path
    ) -> None:
        answer = command(
            "search", "classify", examples, "--over", "learning-rate=1e-5,1e-2", "--objective", "accuracy",
            "--repeats", 2, "--epochs", 2, "--device", "cpu", "--threads", 1, "-o", tmp_path / "search", "--json",
            "--quiet",
        )  # fmt: skip
        assert answer.code == 0, answer
        found = json.loads(answer.out)
        reached = [trial["reached"] for trial in found["trials"]]
        assert [one["objective"] for one in reached] == [one["validation_accuracy"] for one in reached]
        assert found["best"]["reached"]["objective"] == max(one["objective"] for one in reached)
        assert "validation_mse" not in reached[0]
        header = (tmp_path / "search" / "search.csv").read_text().splitlines()[0]
        assert "validation_accuracy" in header
        assert "validation_psnr" not in header

    def test_several_are_put_in_order(self, run: Run, command: Callable[..., Any], tmp_path: Path) -> None:
        other = shutil.copytree(run.path, tmp_path / "other")
        answer = command("evaluate", run.path, other, "-o", tmp_path / "both", "--json", "--quiet")
        assert answer.code == 0, answer
        rows = json.loads(answer.out)["rows"]
        assert {row["accuracy"] for row in rows} == {run.metrics["methods"]["network"]["accuracy"]}
        assert (tmp_path / "both" / "matrix.csv").read_text().startswith("name,network,accuracy\n")
        assert "Models side by side" in (tmp_path / "both" / "matrix.html").read_text()

    def test_what_gives_images_is_no_classifier(self, trained: Run) -> None:
        with pytest.raises(CuelloError, match="is not a classifier: its job is denoise"):
            cuello.evaluate_classifier(trained.path)
        with pytest.raises(CuelloError, match=r"gives images, not classes\. Train a classifier"):
            cuello.load(trained.path).classify(np.zeros((4, 4, 3), np.uint8))


class TestCommand:
    def test_train_and_evaluate_print_what_was_found(
        self, run: Run, examples: Path, tmp_path: Path, command: Callable[..., Any]
    ) -> None:
        flags = ["--epochs", "1", "--batch-size", "8", "--threads", "1", "-o", tmp_path / "run"]
        answer = command("train", "classify", examples, *flags)
        assert answer.code == 0, answer
        assert "accuracy" in answer.error
        for text in ("logistic regression on pixels", "always ", "true class", "expected calibration error", "report:"):
            assert text in answer.out
        answer = command("evaluate", tmp_path / "run")
        assert answer.code == 0, answer
        assert "expected calibration error" in answer.out
        found = json.loads(command("evaluate", tmp_path / "run", "--json").out)
        assert found["classes"] == ["bright", "dark"]


def test_cross_entropy_by_hand() -> None:
    """Scores ln 3 and 0: softmax .75 and .25. Smoothing .2 of two classes: .9 of one, .1 of the other."""
    from cuello.scoring.losses import find_loss

    scores, labels = torch.tensor([[math.log(3), 0.0]]), torch.tensor([0])
    plain: Tensor = find_loss("cross-entropy").function(scores, labels)
    assert plain.tolist() == pytest.approx([-math.log(0.75)])
    smooth = find_loss("cross-entropy:0.2").function(scores, labels)
    assert smooth.tolist() == pytest.approx([-0.9 * math.log(0.75) - 0.1 * math.log(0.25)])
