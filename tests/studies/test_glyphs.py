"""The study `glyphs` in miniature: the source's facts, the plans, what is measured, the report."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cuello.studies.base import StudyPlan, run_study
from cuello.studies.glyphs import measures, plans, source, study
from cuello.studies.glyphs.limits import bayes_limit


def quick(data: str) -> list[StudyPlan]:
    """The study's plans, each a few steps, with small networks of ours."""
    made = []
    for plan in plans.plans(data):
        settings = {**plan.settings, "epochs": 2, "samples": 2 * plan.settings["batch_size"]}
        if plan.name.startswith("ours-at"):
            settings |= {"model": "mlp:35-16-2", "batch_size": 64, "samples": 64, "validation_samples": 32}
        made.append(replace(plan, settings=settings))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("glyphs") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "DRAWS", 2)
        patch.setattr(measures, "bayes_limit", lambda known, flips: bayes_limit(known, min(flips, 3)))
        run_study(replace(study.STUDY, plans=quick), None, place, repeats=2, threads=1)
    return place


def test_the_plans_are_the_sources_trainings(configs) -> None:
    made = configs(plans.plans("glyphs"), "glyphs")
    classic = made[plans.CLASSIC_PLAN]
    assert classic.epochs * (classic.samples or 0) // 32 == source.CLASSIC_EPOCHS
    assert (classic.learning_rate, classic.optimizer, classic.batch_size) == (5e-4, "adam", 32)
    for flips, epochs in ((3, 11_500), (7, 13_000)):
        config = made[plans.denoising(flips, ours=False)]
        assert config.epochs * (config.samples or 0) // 32 == epochs
        assert config.noise == f"invert:{flips}"
        assert made[plans.denoising(flips, ours=True)].noise == f"invert:{flips}"
    for widths in source.EMOJI_WIDTHS:
        for rate in source.EMOJI_RATES:
            config = made[plans.emoji(widths, rate)]
            assert (config.data, config.job, config.learning_rate) == ("emoji", "generate", rate)
            assert config.epochs * (config.samples or 0) // 8 == source.EMOJI_EPOCHS
    assert plans.emoji(*source.EMOJI_CHOSEN) in made
    assert made[plans.EMOJI_FOUR].data == "emoji-4"
    assert study.STUDY.repeats == 10


@pytest.mark.parametrize("flips", [0, 3, 7])
def test_so_many_pixels_of_every_character_are_inverted(flips: int) -> None:
    noisy, clean = measures.inverted(flips, 3), measures.characters(3)
    assert clean.shape == (3 * 32, 1, 7, 5)
    assert clean.numel() == 3 * source.PIXELS
    assert set(clean.unique().tolist()) == {0, 1}
    assert ((noisy != clean).flatten(1).sum(1) == flips).all()
    assert measures.wrong(noisy) == 32 * flips
    assert torch.equal(noisy, measures.inverted(flips, 3))


def test_all_tables_with_the_sources_numbers(table) -> None:
    classic = table("characters-through-two-numbers")
    assert classic[1][:3] == ["source", "19,300", "6"]
    assert [row[0].split(":")[0] for row in classic[2:]] == [
        "the source's network, redone", "ours", "principal components, 2 numbers",
    ]  # fmt: skip
    noise = table("noise")
    assert [row[:3] for row in noise[1:]] == [["3", "3", "98"], ["7", "7", "172"], ["7", "3", "165"]]
    assert noise[1][6] == "0.57", "the limit at three pixels"
    assert len(table("layers-optimisers-learning-rates")) == 1 + 4 + 3 + 4
    assert len(table("emoji-from-a-distribution")) == 1 + 4
    assert len(table("trained-level-against-tested-level")) == 1 + 6


def test_the_report(page: str, figures: set[str]) -> None:
    assert page.count("95% interval") == 2, "of the hypothesis"
    assert "2 pairs of seeds" in page
    assert figures >= {
        "map", "plane", "layers", "optimisers", "rates", "denoised-3", "denoised-7", "emoji-widths", "emoji-rates",
        "emoji-plane", "emoji-drawn", "emoji-ours-plane", "emoji-ours-drawn", "emoji-4-plane", "emoji-4-drawn",
    }  # fmt: skip
