"""The study `salt-pepper` in miniature: the source's facts, the plans, the report."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cuello.models.named import NETWORKS
from cuello.studies.base import run_study
from cuello.studies.catalog import STUDIES
from cuello.studies.salt_pepper import plans, source, study

ROWS = tuple(replace(row, epoch=1 if row.epoch == 10 else 2) for row in source.SOURCE_ROWS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "SCALES", {"photos": plans.CropsAndEpochs(16, 8, 1, 1)})
        patch.setattr(study, "SCALES", plans.SCALES)
        for module in (plans, source):
            patch.setattr(module, "SOURCE_ROWS", ROWS)
        found = run_study(STUDIES["salt-pepper"], "photos", tmp_path_factory.mktemp("study") / "salt-pepper")
        yield found.report.parent


def test_parameters_are_the_sources_where_it_says_enough() -> None:
    for row in source.SOURCE_ROWS:
        ours, theirs = study.parameters(row.network), row.parameters
        assert theirs is not None
        if row.network.startswith("dense"):
            assert 0 < abs(ours / theirs - 1) < 0.002
        else:
            assert ours == theirs
    assert len(source.SOURCE_ROWS) == 14


@pytest.mark.parametrize("data", plans.SCALES)
def test_the_plans_are_settings_that_exist_and_share_their_validation_crops(data: str, configs) -> None:
    made = configs(plans.plans(data), data)
    for row in source.SOURCE_ROWS:
        config = made[row.plan]
        assert (config.model, config.batch_size) == (row.network, row.batch)
        assert config.epochs >= row.epoch
        assert NETWORKS[config.model].name == row.network
    for name in ("crop", "crops", "samples", "validation_samples", "validation", "test", "split_seed"):
        assert len({getattr(config, name) for config in made.values()}) == 1, name
    assert made[plans.OURS_EVERY].noise == "salt-pepper:0.1..0.9"
    assert made["conv-8-16-8-at-60"].noise == "salt-pepper:0.6"
    assert (plans.SCALES["bsds400"].samples, plans.SCALES["bsds400"].validation_samples) == (4000, 1000), "the source's"


def test_all_rows_with_the_sources_numbers_beside_ours(table) -> None:
    losses, costs = table("networks-compared-1"), table("networks-compared-2")
    assert len(losses) == len(costs) == 1 + 14 + 2
    assert losses[12][:3] == ["the same, 91 epochs", "2", "0.00310"]
    assert costs[7][3:] == ["426,447", "426,447"]
    for row in losses[1:]:
        assert re.fullmatch(r"0\.\d+", row[3]), row
    assert [row[2] for row in losses[15:]] == ["–", "–"], "the source has no such rows"


def test_losses_by_epoch_and_levels(table) -> None:
    epochs = table("loss-by-epoch")
    assert [row[:3] for row in epochs[1:3]] == [["1", "0.06170", "0.02960"], ["2", "0.02940", "0.02940"]]
    assert epochs[1][3] != "–"
    assert epochs[-1][3] == "–", "an epoch that was not trained has no number"
    levels = table("stronger-and-stronger-noise")
    assert [row[0] for row in levels[1:]] == ["20%", "30%", "40%", "50%", "60%", "80%", "90%", "100%"]
    assert levels[1][1] == "0.00310"
    for row in levels[1:]:
        assert float(row[5]) == pytest.approx(float(row[4]) / float(row[2]), abs=0.0051)


def test_the_report(page: str, figures: set[str], table) -> None:
    for said in ("Networks compared", "Loss by epoch", "Stronger and stronger noise", "What it looks like",
                 "Trained level against tested level", "What was guessed", "side by side",
                 "are of other data"):  # fmt: skip
        assert said in page
    assert {"size", "epochs", "levels", "matrix", "restored-1", "restored-2"} <= figures
    ratios = [float(row[5]) for row in table("stronger-and-stronger-noise")[2:8]]
    said = re.search(r"leaves (\d+)% to (\d+)% of the error", page)
    assert said is not None
    assert [int(part) for part in said.groups()] == pytest.approx([100 * min(ratios), 100 * max(ratios)], abs=1)
