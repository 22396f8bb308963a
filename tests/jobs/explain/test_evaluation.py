"""Training and judging estimators of occlusion maps: what is learned, what is refused, the whole of a run."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.data.batches import to_tensor
from cuello.jobs.explain.estimator import estimate
from cuello.jobs.explain.evaluation import order, verdict_of
from cuello.jobs.explain.settings import FLAT, LEARNED, MapSettings
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.saliency.fidelity import break_even, fidelity

TINY: dict[str, Any] = {"epochs": 2, "batch_size": 8, "device": "cpu", "threads": 1}
HITS: dict[str, Any] = {"model": "classify-hits", "epochs": 1, "batch_size": 16, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An array file of 40 grey images, 12×12, with a bright spot at the left or at the right."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60, (40, 12, 12), np.uint8)
    labels = np.arange(40) % 2
    for image, label in zip(pixels, labels, strict=True):
        image[4:8, 1 + 6 * label : 5 + 6 * label] += 150
    path = tmp_path_factory.mktemp("data") / "spots.npz"
    np.savez(path, images=pixels, labels=labels)
    return path


@pytest.fixture(scope="module")
def classifier(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classifier of the two sides, of any image size; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "sides"
    settings = TINY | {"model": "classify-s", "epochs": 6, "learning_rate": 0.01}
    return cuello.train("classify", examples, output=path, **settings)


@pytest.fixture(scope="module")
def hits(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The source's classifier for these images; not to be changed."""
    return cuello.train("classify", examples, output=tmp_path_factory.mktemp("runs") / "hits", report=False, **HITS)


@pytest.fixture(scope="module")
def run(examples: Path, classifier: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished estimator with its report; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "ours"
    return cuello.train("explain", examples, classifier=str(classifier.path), output=path, **TINY)


class TestRun:
    def test_the_file_says_whose_maps_it_learned(self, run: Run, classifier: Run) -> None:
        artefact = load_artefact(run.model_path)
        assert artefact.job == "explain"
        assert artefact.architecture.kind == "feature-estimator"
        assert artefact.classifier == load_artefact(classifier.model_path).checksum
        assert not artefact.classes
        assert (artefact.training["box"], artefact.training["told"]) == (3, "prediction")

    def test_it_learns(self, run: Run) -> None:
        first, last = run.history[0], run.history[-1]
        assert last.validation_loss < first.validation_loss

    def test_measures_are_those_of_the_maps(self, run: Run, classifier: Run, examples: Path) -> None:
        """Fidelity worked out anew, from the files alone, on the run's test images."""
        rows = list(csv.DictReader(run.images_path.open()))
        names = [f"{number:06d}" for number in range(40)]
        with np.load(examples) as file:
            pixels = file["images"]
        chosen = [int("".join(filter(str.isdigit, row["image"]))) for row in rows]
        assert len(names) == len(pixels)
        model, asked = cuello.load(run.path), cuello.load(classifier.path)
        x = to_tensor(pixels[chosen][..., None])
        found = MapSettings(definition=LEARNED).maps(asked.network, x)
        ours = estimate(model, x, found.classes[:, 0])
        expected = fidelity(found.maps[:, 0], ours, important="low", flat=FLAT)
        assert run.metrics["images"] == len(rows) == 6
        for name in ("mse", "pearson", "spearman", "overlap"):
            assert run.metrics["fidelity"][name]["mean"] == pytest.approx(getattr(expected, name).mean, abs=2e-3), name
        assert [row["class"] for row in rows] == [asked.classes[k] for k in found.classes[:, 0].tolist()]

    def test_break_even_follows_from_the_times(self, run: Run) -> None:
        times, count = run.metrics["seconds"], run.metrics["training_maps"]
        assert count == 26, "of 40 images, 6 are for testing and 8 for validation"
        assert times["maps"] == pytest.approx(count * times["exact"])
        assert times["training"] == pytest.approx(sum(record.seconds for record in run.history))
        expected = break_even(times["exact"], count, times["training"], times["estimate"])
        assert run.metrics["break_even"] == expected

    def test_label_and_prediction_are_both_shown(self, run: Run) -> None:
        told = run.metrics["told"]
        assert told["prediction"] == {k: v for k, v in run.metrics["fidelity"].items() if k in told["prediction"]}
        assert set(told) == {"prediction", "label"}
        page = run.report_path.read_text()
        for words in ("told the prediction", "told the label", "Best and worst", "When does it pay?"):
            assert words in page

    def test_it_goes_on_as_if_never_interrupted(
        self, run: Run, classifier: Run, examples: Path, tmp_path: Path
    ) -> None:
        settings: dict[str, Any] = {
            **TINY,
            "schedule": "constant",
            "warmup_epochs": 0.0,
            "classifier": str(classifier.path),
        }
        shorter: dict[str, Any] = settings | {"epochs": 1}
        cuello.train("explain", examples, output=tmp_path / "one", report=False, **shorter)
        cuello.resume(tmp_path / "one", epochs=2, report=False)
        cuello.train("explain", examples, output=tmp_path / "two", report=False, **settings)
        first, second = (load_artefact(tmp_path / name).weights for name in ("one", "two"))
        assert all(torch.equal(first[name], second[name]) for name in first)


class TestSourceNetworks:
    @pytest.mark.parametrize(
        ("model", "told"), [("explain-hits-frozen", "prediction"), ("explain-hits-one-hot", "label")]
    )
    def test_they_train_and_go_on(self, examples: Path, hits: Run, tmp_path: Path, model: str, told: str) -> None:
        settings = {"model": model, "told": told, "classifier": str(hits.path), "epochs": 1, "threads": 1}
        run = cuello.train("explain", examples, output=tmp_path / "run", report=False, **settings)
        cuello.resume(run.path, epochs=2)
        weights, theirs = load_artefact(run.path).weights, load_artefact(hits.path).weights
        own = [tensor for name, tensor in weights.items() if name.startswith("encoder.0") and tensor.ndim == 4]
        given = [tensor for name, tensor in theirs.items() if name.startswith("stages.0") and tensor.ndim == 4]
        assert torch.equal(own[0], given[0]) == (model == "explain-hits-frozen")
        assert set(run.metrics["told"]) == ({"prediction", "label"} if "one-hot" in model else set())

    def test_only_a_class(self, examples: Path, hits: Run, tmp_path: Path) -> None:
        settings: dict[str, Any] = {
            **TINY,
            "model": "explain-hits",
            "classifier": str(hits.path),
            "epochs": 1,
            "only": "1",
        }
        run = cuello.train("explain", examples, output=tmp_path / "run", report=False, **settings)
        assert run.history[0].images == 10, "of 20 images of the class, 7 are for testing and 3 for validation"


class TestMistakes:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"classifier": None}, "add classifier=RUN"),
            ({"classifier": "nowhere"}, "nowhere"),
            ({"classifier": "net.onnx"}, "cuello explain"),
            ({"augment": True}, "turned map"),
            ({"crop": 8}, "whole images"),
            ({"fill": "grey"}, "a number, mean or blur"),
            ({"model": "unet-s"}, "gives no occlusion maps"),
            ({"model": "explain-hits-frozen"}, "no bias"),
            ({"loss": "cross-entropy"}, "compares classes"),
            ({"noise": "gaussian:25"}, "its occlusion map should come out"),
            ({"only": "3"}, "needed one of 0, 1"),
            ({"box": 30}, "box"),
        ],
    )
    def test_are_told(
        self, examples: Path, classifier: Run, tmp_path: Path, settings: dict[str, Any], said: str
    ) -> None:
        given = {"classifier": str(classifier.path), **TINY, **settings}
        with pytest.raises(CuelloError, match=said):
            cuello.train("explain", examples, output=tmp_path / "run", **given)
        assert not (tmp_path / "run").exists()

    def test_a_network_of_images_is_no_classifier(self, examples: Path, run: Run, tmp_path: Path) -> None:
        with pytest.raises(CuelloError, match="is not a classifier: its job is explain"):
            cuello.train("explain", examples, classifier=str(run.path), output=tmp_path / "run", **TINY)

    def test_labels_that_the_classifier_does_not_know(self, classifier: Run, tmp_path: Path) -> None:
        path = tmp_path / "plain.npy"
        np.save(path, np.random.default_rng(0).integers(0, 255, (12, 12, 12), np.uint8))
        settings = {"classifier": str(classifier.path), **TINY}
        with pytest.raises(CuelloError, match="without labels"):
            cuello.train("explain", path, output=tmp_path / "run", told="label", **settings)
        run = cuello.train("explain", path, output=tmp_path / "run", **settings)
        assert run.metrics["told"] == {}

    def test_settings_of_explain_are_not_for_others(self, examples: Path, tmp_path: Path) -> None:
        with pytest.raises(CuelloError, match="got box=5 for reconstruct: only explain has it"):
            cuello.train("reconstruct", examples, box=5, output=tmp_path / "run")

    def test_an_interruption_says_that_maps_are_kept(
        self, examples: Path, classifier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stopped(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("cuello.jobs.explain.evaluation.exact_maps", stopped)
        settings = {"classifier": str(classifier.path), **TINY}
        with pytest.raises(Interrupted, match="maps made so far are kept"):
            cuello.train("explain", examples, output=tmp_path / "run", **settings)
        assert not (tmp_path / "run").exists()

    def test_an_estimator_gives_no_images(self, run: Run) -> None:
        model = cuello.load(run.path)
        with pytest.raises(CuelloError, match="cuello explain CLASSIFIER"):
            model(np.zeros((12, 12), np.uint8))
        with pytest.raises(CuelloError, match="whose exact maps are kept"):
            cuello.evaluate(run.path, "glyphs")
        found = cuello.evaluate_runs([run.path])
        assert found.rows[0].scores["mse"] == pytest.approx(run.metrics["fidelity"]["mse"]["mean"])

    def test_an_image_network_gives_no_maps(self, classifier: Run) -> None:
        with pytest.raises(CuelloError, match="its job is classify"):
            estimate(cuello.load(classifier.path), torch.zeros(1, 1, 12, 12), torch.zeros(1, dtype=torch.int64))

    def test_a_search_is_by_what_the_job_measures(self, examples: Path, run: Run, tmp_path: Path) -> None:
        settings = {**run.config.model_dump(exclude_none=True), "epochs": 1}
        settings = {name: value for name, value in settings.items() if name not in ("job", "data", "learning_rate")}
        space = {"learning_rate": [1e-3, 1e-2]}
        found = cuello.search.search(
            "explain", str(examples), space=space, objective="mse", output=tmp_path / "s", **settings
        )
        assert len(found.trials) == 2
        best = min(found.trials, key=lambda trial: trial.reached.validation_mse)  # type: ignore[union-attr]
        assert found.best == best

    def test_it_is_judged_and_compared_by_error_and_correlation(self, run: Run) -> None:
        found = cuello.evaluate(run.path, report=False)
        assert found.fidelity.pearson.mean == pytest.approx(run.metrics["fidelity"]["pearson"]["mean"])
        row = cuello.compare([run.path], latency=False).groups[0].rows[0].runs[0]
        assert row.evaluated("pearson") == run.metrics["fidelity"]["pearson"]["mean"]
        assert row.evaluated("mse") == run.metrics["fidelity"]["mse"]["mean"]
        assert (row.best_classical, row.gain) == (None, None)


def test_the_best_come_first() -> None:
    rng = np.random.default_rng(0)
    exact = rng.random((4, 5, 5))
    exact[3] = 0.5
    estimated = exact + np.array([0.5, 0.0, 0.1, 0.2])[:, None, None] * rng.random((4, 5, 5))

    class Found:
        fidelity = cuello_fidelity = fidelity(exact, estimated)

    assert order(Found()) == [1, 2, 0, 3]  # type: ignore[arg-type]


def test_the_verdict_names_what_counts() -> None:
    maps = np.random.default_rng(0).random((6, 8, 8))
    said = verdict_of(fidelity(maps, maps), 300.4, 1234.0)
    for words in ("1.000", "0.00000", "6 of 6 images", "1/300", "1,234 maps"):
        assert words in said


def test_the_command_line_says_how_faithful(
    examples: Path, classifier: Run, tmp_path: Path, command: Callable[..., Any]
) -> None:
    start = ["train", "explain", examples, "--classifier", classifier.path, "--epochs", 1, "--device", "cpu"]
    start += ["--threads", 1, "-o"]
    answer = command(*start, tmp_path / "run")
    assert answer.code == 0, answer
    assert "correlation (Pearson)" in answer.out
    assert "told the label" in answer.out
    assert str(tmp_path / "run" / "report.html") in answer.out.replace("\n", "")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    curves = {"deletion", "insertion"}
    assert set(found["fidelity"]) == curves | {"mse", "normalised_mse", "pearson", "spearman", "overlap", "pooled"}
    answer = command(*start, tmp_path / "two", "--repeats", 2)
    assert answer.code == 0, answer
    assert re.search(r"evaluation, 2 repeats: MSE 0\.\d+ ± 0\.\d+  correlation", answer.out)
    assert "evaluated correlation" in (tmp_path / "two" / "compare.html").read_text()
