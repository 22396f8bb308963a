"""The study `mnist` in miniature, on small made digits: the networks, the plans, the report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cuello.models.catalog import architecture_of, build
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, write_history
from cuello.studies.base import StudyOutcome, run_study
from cuello.studies.mnist import batches, plans, study
from cuello.studies.mnist.source import EPOCHS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mnist")
    random = np.random.default_rng(0)
    coarse = random.random((80, 7, 7)) > 0.6
    np.save(place / "digits.npy", (coarse.repeat(4, 1).repeat(4, 2) * 255).astype(np.uint8))

    quick = [
        replace(plan, settings={**plan.settings, "epochs": 1, "batch_size": 20})
        for plan in plans.plans("mnist")
        if plan.settings.get("batch_size") in (None, 64, plans.BATCH)
    ]
    small = replace(study.STUDY, data=(str(place / "digits.npy"),), plans=lambda data: quick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "NUMBERS", {study.CONVOLUTIONAL: 8, study.DENSE: 20, study.OURS: 8})
        run_study(small, None, place / "study", repeats=1, threads=1)
    return place / "study"


def test_the_source_s_training(configs) -> None:
    made = configs(plans.plans("mnist"), "mnist")
    for name in (study.CONVOLUTIONAL, study.DENSE):
        config = made[name]
        assert (config.optimizer, config.nesterov, config.momentum, config.learning_rate) == ("sgd", True, 0.5, 1.0)
        assert (config.epochs, config.schedule, config.loss) == (EPOCHS, "constant", "mse")
    assert made[study.CONVOLUTIONAL].batch_size == made[study.DENSE].batch_size == plans.BATCH
    assert study.STUDY.repeats == 3


def test_every_batch_size_and_dropout_is_trained_as_the_source_trains(configs) -> None:
    made = configs(plans.plans("mnist"), "mnist")
    for batch in plans.BATCHES:
        for network in plans.NETWORKS:
            config = made[plans.plan_name(network, batch)]
            assert (config.batch_size, config.optimizer, config.learning_rate, config.momentum) == (
                batch,
                "sgd",
                1.0,
                0.5,
            )
            share = network.partition("-dropout-")[2]
            assert config.model.partition("dropout=")[2] == share
    assert len(made) == 1 + len(plans.BATCHES) * len(plans.NETWORKS)


def test_the_table_of_batch_sizes(table) -> None:
    rows = table("what-it-depends-on-batch-size-and-dropout")
    assert rows[0] == ["batch size", "steps", "convolutional", "dense", "÷", "dropout 0.1", "÷", "dropout 0.2", "÷"]
    assert [row[:2] for row in rows[1:]] == [["64", "1"], ["512", "1"]]
    for row in rows[1:]:
        for place in (3, 5, 7):
            assert float(row[place + 1]) == pytest.approx(float(row[2]) / float(row[place]), abs=0.006)


def outcome_of(errors: dict[str, list[float]], folder: Path) -> StudyOutcome:
    """Give a study whose plans have these validation errors by epoch, of 1,000 images."""
    runs = {}
    for name, values in errors.items():
        run = Run(folder / name)
        run.path.mkdir()
        write_history(run.history_path, [EpochRecord(n, 0, 0, e, 0, 0, 0, 0, 1000) for n, e in enumerate(values, 1)])
        runs[name] = [run]
    return StudyOutcome("mnist", folder, runs, 1, lambda event: None)


def test_what_the_finding_depends_on_is_said(tmp_path: Path) -> None:
    errors = {plans.plan_name(network, 64): [4.0, 2.0] for network in plans.NETWORKS}
    errors[plans.plan_name(plans.CONVOLUTIONAL, 64)] = [4.0, 1.5]
    errors[plans.plan_name("mnist-dense-dropout-0.2", 64)] = [4.0, 3.0]
    outcome = outcome_of(errors, tmp_path)
    assert batches.ratio(outcome, plans.DENSE, 64, 2) == 0.75
    assert batches.ratio(outcome, plans.DENSE, 64, 3) is None
    assert batches.steps_an_epoch(outcome, 64) == 16
    said = batches.sentence(outcome)
    assert "After 2 epochs" in said
    assert "0.50 to 0.75" in said
    assert "least with a batch size of 64 and dropout 0.2" in said
    assert "about half at 1 of 3" in said


@pytest.mark.parametrize("name", list(study.NUMBERS))
def test_the_codes_have_the_numbers_that_the_table_says(name: str) -> None:
    import torch

    code = build(architecture_of(name, 1)).eval().encode(torch.zeros(1, 1, 28, 28))  # type: ignore[operator]
    assert code[0].numel() == study.NUMBERS[name]


def test_the_report_has_all_rows_and_pictures(table, page: str, figures: set[str]) -> None:
    rows = table("two-networks-and-ours")
    assert [row[0] for row in rows[1:]] == [
        "convolutional, 4×4×8", "dense, 784-512-784", "ours: conv-128",
        "PCA, 8", "PCA, 20",
    ]  # fmt: skip
    assert float(rows[5][4]) < float(rows[4][4]), "more components leave less"
    assert rows[2][5:] == ["1", "1"]
    assert [row[1] for row in table("time")[1:]] == ["1", "1", "1"]
    assert figures == {"curves", "digits", "batches"}
    assert "of the dense one" in page
    assert "about 0.5" in page


@pytest.mark.parametrize(
    ("convolutional", "said"),
    [
        ([3.0, 1.0, 3.0], "is ahead of the dense one in 1 of 3 epochs, last in epoch 2: how"),
        ([1.0, 1.0, 1.0], "in 3 of 3 epochs."),
        ([2.0, 3.0, 2.0], "in 0 of 3 epochs."),
    ],
)
def test_until_when_the_convolutional_network_is_ahead(convolutional: list[float], said: str, tmp_path: Path) -> None:
    errors = {study.CONVOLUTIONAL: convolutional, study.DENSE: [2.0, 2.0, 2.0]}
    assert said in study.crossing(outcome_of(errors, tmp_path))
