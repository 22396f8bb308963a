"""The study `mnist` in miniature, on small made digits: the networks, the plans, the report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cuello.models.catalog import architecture_of, build
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord, write_history
from cuello.studies.base import StudyOutcome, run_study
from cuello.studies.mnist import study
from cuello.studies.mnist.source import EPOCHS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mnist")
    random = np.random.default_rng(0)
    coarse = random.random((80, 7, 7)) > 0.6
    np.save(place / "digits.npy", (coarse.repeat(4, 1).repeat(4, 2) * 255).astype(np.uint8))

    tiny = {"epochs": 1, "batch_size": 20}
    quick = [replace(plan, settings={**plan.settings, **tiny}) for plan in study.plans("mnist")]
    small = replace(study.STUDY, data=(str(place / "digits.npy"),), plans=lambda data: quick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "NUMBERS", {study.CONVOLUTIONAL: 8, study.DENSE: 20, study.OURS: 8})
        run_study(small, None, place / "study", repeats=1, threads=1)
    return place / "study"


def test_the_source_s_training(configs) -> None:
    made = configs(study.plans("mnist"), "mnist")
    for name in (study.CONVOLUTIONAL, study.DENSE):
        config = made[name]
        assert (config.optimizer, config.nesterov, config.momentum, config.learning_rate) == ("sgd", True, 0.5, 1.0)
        assert (config.epochs, config.schedule, config.loss) == (EPOCHS, "constant", "mse")
    assert made[study.CONVOLUTIONAL].batch_size == made[study.DENSE].batch_size
    assert study.STUDY.repeats == 3


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
    assert figures == {"curves", "digits"}
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
    runs = {}
    for name, errors in (study.CONVOLUTIONAL, convolutional), (study.DENSE, [2.0, 2.0, 2.0]):
        run = Run(tmp_path / name)
        run.path.mkdir()
        write_history(run.history_path, [EpochRecord(n, 0, 0, e, 0, 0, 0, 0, 1) for n, e in enumerate(errors, 1)])
        runs[name] = [run]
    assert said in study.crossing(StudyOutcome("mnist", tmp_path, runs, 1, lambda event: None))
