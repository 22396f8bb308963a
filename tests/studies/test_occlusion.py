"""The study `occlusion` in miniature: the source's facts, the plans, the report."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_ind

from cuello.data.transients import CLASSES, transient_stamps
from cuello.jobs.explain import evaluation as estimation
from cuello.models.catalog import architecture_of, build
from cuello.models.summary import count
from cuello.runs.directory import Run
from cuello.runs.history import best_epoch
from cuello.scoring.repeats import paired_difference
from cuello.studies.base import run_study, turns_of
from cuello.studies.catalog import STUDIES
from cuello.studies.occlusion import beside, experiments, measures, plans, source

DATA = "transients-snr"
IMAGES, SEEDS = 120, 2
TINY = plans.MapsAndEpochs(classifier=1, samples=12, validation_samples=6, epochs=1, tested=6, seeds=SEEDS, timed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The study on a folder of few stamps."""
    place = tmp_path_factory.mktemp("occlusion")
    folder = place / "stamps"
    stamps = transient_stamps(0, IMAGES)
    for number, (image, label) in enumerate(zip(stamps.images[..., 3], stamps.labels, strict=True)):
        path = folder / CLASSES[label] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255).round().astype(np.uint8)).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUELLO_CACHE", str(place / "cache"))
        patch.setitem(plans.SCALES, str(folder), TINY)
        patch.setattr(measures, "TOGETHER", 4)
        patch.setattr(estimation, "AT_ONCE", 8)
        patch.setattr(estimation, "TIMES", 1)
        small = replace(STUDIES["occlusion"], data=(str(folder),), repeats=SEEDS)
        yield run_study(small, None, place / "study", threads=1).report.parent


def test_what_the_source_prints_is_not_what_its_numbers_give() -> None:
    ours = source.CONFUSION
    assert (ours.images, f"{ours.accuracy:.1%}") == (25_000, "94.9%")
    found = ours.accuracy, ours.recall, ours.precision
    assert found == pytest.approx(((12_385 + 11_349) / 25_000, 12_385 / 12_491, 12_385 / 13_545))
    means = {name: fmean(values) for name, values in source.EXPERIMENT_4.items()}
    assert means == pytest.approx({"frozen": 0.012634, "conditioned": 0.00876})
    assert all(abs(source.PRINTED_4[name].mean - mean) > 1e-4 for name, mean in means.items())
    assert source.EXPERIMENT_2[plans.CONDITIONED][1] == source.EXPERIMENT_4["conditioned"][0], "why one-hot is guessed"


def test_the_networks_are_the_source_s() -> None:
    normal, frozen = (build(architecture_of(plans.ENCODERS[name], 1)) for name in ("normal", "frozen"))
    assert count(normal)[0] == source.TRAINABLE
    assert count(frozen) == (source.FROZEN_TRAINABLE, source.FROZEN)


def test_the_plans(configs) -> None:
    every = plans.plans(DATA)
    made = configs(every, DATA)
    settings = {repr(sorted({**plan.settings, "uses": tuple(plan.uses.items())}.items())) for plan in every}
    assert len(settings) == len(made), "no training is made twice"
    assert turns_of(every) == {name: int(name != plans.CLASSIFIER) for name in made}
    assert sum(plan.most_repeats or 0 for plan in every) == 1 + 6 + 3 + 2 + 1 + 2 * (plans.SEEDS - 1)
    for name in ("samples", "validation_samples", "validation", "test", "split_seed", "box", "stride", "fill"):
        assert len({getattr(made[plan], name) for plan in made if plan != plans.CLASSIFIER}) == 1, name
    for plan, config in made.items():
        if plan.startswith(("normal", "frozen", "told")):
            assert (config.optimizer, config.loss, config.batch_size) == ("adadelta", "bce", source.BATCH)
            assert config.patience == source.PATIENCE
        assert config.told == ("label" if plan.startswith("told") else "prediction")
    assert [made[plans.encoder_plan("frozen", part)].only for part in source.SETS] == [None, "real", "bogus"]


def test_what_the_test_of_five_trainings_says() -> None:
    frozen, conditioned = dict(enumerate([5.0, 6.0, 7.0])), dict(enumerate([2.0, 2.9, 4.1]))
    theirs, ours = experiments.text_of_seeds(paired_difference(conditioned, frozen))
    expected: Any = ttest_ind(source.EXPERIMENT_4["conditioned"], source.EXPERIMENT_4["frozen"], equal_var=False)
    assert all(said in theirs for said in (experiments.p_text(float(expected.pvalue)), "-0.00387", ".01309", "0.01263"))
    assert all(said in ours for said in ("-3.00000", "over 3 seeds", "the conditioned network is better"))


@pytest.mark.parametrize(
    ("conditioned", "frozen", "said"),
    [
        ([5.0, 6.0, 7.0], [2.0, 2.9, 4.1], "frozen network is better"),
        ([1.0, 2.0], [2.0, 1.0], "cannot be told"),
        ([1.0], [2.0], "too few"),
    ],
)
def test_what_other_trainings_would_say(conditioned: list[float], frozen: list[float], said: str) -> None:
    found = paired_difference(dict(enumerate(conditioned)), dict(enumerate(frozen)))
    assert said in experiments.text_of_seeds(found)[1]


def test_a_confusion_matrix_is_read_with_supernovae_as_positive() -> None:
    counts = np.array([[70, 30], [5, 95]])  # rows: the true class
    found = experiments.confusion_of(SimpleNamespace(classes=("bogus", "real"), confusion=counts))  # type: ignore[arg-type]
    assert (found.true_positive, found.missed, found.false, found.true_negative) == (95, 5, 30, 70)


def test_maps_in_colours() -> None:
    drawn = beside.coloured(np.array([[0.0, 1.0]]))
    assert drawn.shape == (1, 2, 3)
    assert drawn[0, 0].sum() < drawn[0, 1].sum(), "dark is low"


def test_every_training_is_made_once_and_its_classifier_is_the_first(folder: Path) -> None:
    runs = {path.parent.relative_to(folder / "runs").as_posix() for path in folder.rglob("config.toml")}
    seeds = {f"{plan}/seed-1" for plan in ("frozen-mixed", "told-one-hot")}
    assert runs == {f"{plan.name}/seed-0" for plan in plans.plans(DATA)} | seeds


def test_experiment_tables(table) -> None:
    sets = table("experiment-1-the-training-set")
    assert [row[:4] for row in sets[1:3]] == [
        ["normal", "mixed", "0.02284", "0.02288"], ["normal", "supernova", "0.01398", "0.01369"],
    ]  # fmt: skip
    assert len(sets) == 1 + 6 + 3
    told = table("experiment-2-the-label-joins-the-bottleneck")
    assert [row[1:3] for row in told[2:]] == [["0.01038", "0.01204"], ["0.00956", "0.01052"], ["–", "–"]]
    cuts = table("experiment-3-the-network-cut-at-its-poolings")
    assert [row[:3] for row in cuts[1:]] == [
        ["whole", "294,789", "0.01416"], ["two poolings", "248,097", "more than 0.01416"],
        ["one pooling", "35,745", "more than 0.01416"],
    ]  # fmt: skip
    for cells in [row[4:6] for row in sets[1:7]] + [row[3:] for row in told[2:]] + [row[3:] for row in cuts[1:]]:
        assert all(0 < float(cell) < 1 for cell in cells), cells


def test_the_same_training_has_the_same_number_everywhere(table) -> None:
    seeds = {row[0]: row for row in table("experiment-4-five-trainings")[1:]}
    assert seeds["source: frozen"][1:8] == [
        "0.01278", "0.01353", "0.01168", "0.01371", "0.01147", "0.01263", f"{stdev(source.EXPERIMENT_4['frozen']):.5f}",
    ]  # fmt: skip
    frozen, conditioned = seeds["here: frozen"], seeds["here: conditioned"]
    assert frozen[1] == table("experiment-1-the-training-set")[4][5]
    assert conditioned[1] == table("experiment-2-the-label-joins-the-bottleneck")[3][4]
    for row in (frozen, conditioned):
        values = [float(cell) for cell in row[1 : 1 + SEEDS]]
        assert row[1 + SEEDS : 6] == ["–"] * (5 - SEEDS)
        assert float(row[6]) == pytest.approx(fmean(values), abs=1e-5)
        assert float(row[7]) == pytest.approx(stdev(values), abs=2e-5)


def test_ours_beside_all(table) -> None:
    beside, areas = table("ours-beside-all-1"), table("ours-beside-all-2")
    names = [row[0] for row in beside[1:]]
    told = [f"told the label, {name}" for name in ("number", "one-hot", "embedding")]
    assert names == ["normal", "frozen", *told, "cut at two poolings", "cut at one pooling", "ours: explain-s"]
    assert beside[2][1:3] == ["192,645", "102,144"]
    assert [row[0] for row in areas[1:]] == ["exact maps", "random order", *names]
    for row in areas[1:]:
        assert all(0 <= float(cell.split(" ")[0]) <= 1 for cell in row[1:]), row


def test_speed(table) -> None:
    speed, pays = table("speed-1"), table("speed-2")
    assert speed[1][1] == "1.28 s"
    assert [row[1] for row in speed[4:6]] == ["1.7 ms", "–"]
    assert {row[1] for row in pays[1:]} == {"18"}
    assert len(pays) == 1 + 8


def test_the_report(page: str, figures: set[str]) -> None:
    for said in ("95.5%", "94.9%", "other data", "What was guessed", "told the prediction", "Best and worst maps"):
        assert said in page
    assert figures == {"confusion", "cuts", "errors", "best-and-worst", "best-and-worst-ours"}


def test_errors_are_those_of_the_history(folder: Path, table) -> None:
    """The validation error measured afterwards is the best epoch's of the history."""
    normal = table("experiment-1-the-training-set")[1][5]
    cut = table("experiment-3-the-network-cut-at-its-poolings")[3][4]
    for found, plan in (normal, "normal-mixed"), (cut, "cut-at-one-pooling"):
        best = best_epoch(Run(folder / "runs" / plan / "seed-0").history)
        assert best is not None
        assert float(found) == pytest.approx(best.validation_mse, abs=6e-6)
