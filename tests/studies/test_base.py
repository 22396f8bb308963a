"""A study: trainings made once, resumed, and told in one report."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.report.page import Section, Table
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.studies import base
from cuello.studies.base import Story, Study, StudyOutcome, StudyPlan, run_study, turns_of
from cuello.work.plans import Watch

SETTINGS = {
    "job": "denoise", "noise": "gaussian:25", "crop": 32, "crops": "fixed", "samples": 8, "validation_samples": 4,
    "epochs": 2,
}  # fmt: skip


def plans(data: str) -> Sequence[StudyPlan]:
    return [
        StudyPlan("single", {**SETTINGS, "model": "conv-single"}),
        StudyPlan("more", {**SETTINGS, "model": "conv-16"}),
    ]


def story(outcome: StudyOutcome) -> Story:
    rows = []
    for name in outcome.runs:
        best, second = outcome.best(name, lambda record: record.validation_loss), outcome.at(name, 2, lambda r: r.loss)
        assert best is not None
        assert second is not None
        assert outcome.at(name, 3, lambda record: record.loss) is None
        rows.append([name, str(best.count), str(second.mean)])
    return Story("It <works>.", [Section("What came, of it", parts=[Table(["name", "n>", "loss>"], rows)])])


TOY = Study(name="toy", summary="two small networks", data=("photos", "train400"), plans=plans, story=story)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, float]]]:
    folder, heard = tmp_path_factory.mktemp("study") / "toy", []
    found = run_study(TOY, None, folder, repeats=2, watch=lambda words, share: heard.append((words, share)))
    assert found.report == folder / "report.html"
    assert found.verdict == "It <works>."
    return folder, heard


def test_every_seed_of_every_plan_is_a_run(told: tuple[Path, list[tuple[str, float]]]) -> None:
    folder, _ = told
    runs = sorted(path.parent.relative_to(folder / "runs").as_posix() for path in folder.rglob("config.toml"))
    assert runs == ["more/seed-0", "more/seed-1", "single/seed-0", "single/seed-1"]
    assert all(len((folder / "runs" / run / "history.jsonl").read_text().splitlines()) == 2 for run in runs)


def test_the_time_is_that_of_all_epochs(told: tuple[Path, list[tuple[str, float]]]) -> None:
    runs = {"single": [Run(told[0] / "runs" / "single" / f"seed-{seed}") for seed in (0, 1)]}
    lines = [json.loads(line) for run in runs["single"] for line in run.history_path.read_text().splitlines()]
    outcome = StudyOutcome("photos", told[0], runs, 1, lambda words, share: None)
    assert outcome.seconds == pytest.approx(sum(line["seconds"] for line in lines))
    assert outcome.seconds > 0


def test_the_report_and_the_tables_say_the_same(told: tuple[Path, list[tuple[str, float]]]) -> None:
    folder, _ = told
    page = (folder / "report.html").read_text()
    rows = list(csv.reader((folder / "tables" / "what-came-of-it.csv").open()))
    assert rows[0] == ["name", "n", "loss"]
    assert [row[:2] for row in rows[1:]] == [["single", "2"], ["more", "2"]]
    for row in rows[1:]:
        assert row[2] in page
    assert "It &lt;works&gt;." in page
    assert "two small networks; on photos, 2 seeds" in page


def test_the_share_that_is_done_rises_to_the_whole(told: tuple[Path, list[tuple[str, float]]]) -> None:
    _, heard = told
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1)
    assert any("0 of 4 trained  more, seed 0 epoch 2 of 2, loss" in words for words, _ in heard), "the costly first"
    assert [words for words, _ in heard][-2:] == ["4 of 4 trained", "evaluating"]
    costs = {plan.name: base.cost(plan) for plan in plans("photos")}
    half = next(share for words, share in heard if words.startswith("2 of 4"))
    assert half == pytest.approx(costs["more"] / sum(costs.values()))


def test_again_nothing_is_trained(told: tuple[Path, list[tuple[str, float]]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = told
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    assert before
    monkeypatch.setattr("cuello.work.train.train", lambda *a, **k: pytest.fail("trained again"))
    run_study(TOY, "photos", folder, repeats=2)
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()} == before


def test_what_was_stopped_goes_on(told: tuple[Path, list[tuple[str, float]]], tmp_path: Path) -> None:
    folder, _ = told

    def stop(words: str, share: float) -> None:
        if "more epoch 2 of 2" in words:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="The same command goes on"):
        run_study(TOY, "photos", tmp_path / "toy", watch=stop)
    part = tmp_path / "toy" / "runs" / "more" / "seed-0"
    assert len((part / "history.jsonl").read_text().splitlines()) == 1
    assert not (tmp_path / "toy" / "report.html").exists()
    run_study(TOY, "photos", tmp_path / "toy")
    for name in ("single", "more"):
        ended, whole = (place / "runs" / name / "seed-0" for place in (tmp_path / "toy", folder))
        assert weights(ended) == weights(whole), "as if it had never been stopped"


def weights(run: Path) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in load_artefact(run).weights.items()}


def test_two_at_a_time_stopped_and_gone_on_with_give_the_same(
    told: tuple[Path, list[tuple[str, float]]], tmp_path: Path
) -> None:
    folder, _ = told

    def stop(words: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="The same command goes on"):
        run_study(TOY, "photos", tmp_path / "toy", workers=2, watch=stop)
    assert not (tmp_path / "toy" / "report.html").exists()
    run_study(TOY, "photos", tmp_path / "toy", workers=2)
    for name in ("single", "more"):
        there = Path("runs") / name / "seed-0"
        assert weights(tmp_path / "toy" / there) == weights(folder / there)


def test_a_mistake_in_a_training_is_told_from_its_process(tmp_path: Path) -> None:
    wrong = replace(
        TOY, plans=lambda data: [StudyPlan("a", {**SETTINGS, "model": "conv-single", "noise": "nonsense:1"})]
    )
    with pytest.raises(CuelloError, match="nonsense"):
        run_study(wrong, "photos", tmp_path / "toy", workers=2)


def test_only_its_own_folder_and_data(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="made for the data photos or train400, got 'moon'"):
        run_study(TOY, "moon", tmp_path / "a")
    with pytest.raises(CuelloError, match="repeats: got 0"):
        run_study(TOY, "photos", tmp_path / "a", repeats=0)
    with pytest.raises(CuelloError, match="workers: got 0"):
        run_study(TOY, "photos", tmp_path / "a", workers=0)
    assert not (tmp_path / "a").exists()
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(CuelloError, match="holds no study"):
        run_study(TOY, "photos", tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.json").write_text(json.dumps({"study": "toy", "data": "train400"}))
    with pytest.raises(CuelloError, match="holds the study 'toy' on 'train400', this is 'toy' on 'photos'"):
        run_study(TOY, "photos", other)
    (other / "study.json").write_text("{")
    with pytest.raises(CuelloError, match=r"study\.json is damaged"):
        run_study(TOY, "photos", other)


def test_a_run_of_other_settings_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    def changed(data: str) -> Sequence[StudyPlan]:
        single, more = plans(data)
        return [replace(more, settings={**more.settings, "learning_rate": 0.5}), single]

    only_more = replace(TOY, plans=lambda data: plans(data)[1:])
    run_study(replace(only_more, story=lambda outcome: Story("", [])), "photos", tmp_path / "toy")
    with pytest.raises(CuelloError, match=r"more/seed-0 was trained with learning_rate"):
        run_study(replace(TOY, plans=changed), "photos", tmp_path / "toy", watch=no_training)


def test_a_training_that_uses_another_s_run_comes_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stood in for training: what is asked for, in which order; `target` is a setting that is a path."""
    asked: list[tuple[str, str | None]] = []

    def stand_in(path: Path, settings: dict[str, Any], **options: Any) -> None:
        asked.append((path.relative_to(tmp_path).as_posix(), settings.get("target")))
        path.mkdir(parents=True)

    def prepared(configs: Sequence[TrainConfig], workers: int, tell: Watch) -> None:
        asked.append((f"prepared for {len(configs)}", configs[0].target))
        tell("preparing", 1.0)

    monkeypatch.setattr("cuello.work.plans.train_or_resume", stand_in)
    paired = {**SETTINGS, "noise": None, "model": "conv-single"}
    first = StudyPlan("first", {**SETTINGS, "model": "conv-single", "epochs": 1}, most_repeats=1)
    second = StudyPlan("second", paired, uses={"target": "first"})
    third = StudyPlan("third", paired, most_repeats=1, uses={"target": "second"})
    heard: list[tuple[str, float]] = []
    toy = replace(TOY, plans=lambda data: [third, second, first], story=lambda o: Story("", []), prepare=prepared)
    run_study(toy, None, tmp_path, repeats=2, watch=lambda words, share: heard.append((words, share)))
    runs = str(tmp_path / "runs")
    assert asked == [
        ("runs/first/seed-0", None),
        ("prepared for 2", f"{runs}/first/seed-0"),
        ("runs/second/seed-0", f"{runs}/first/seed-0"),
        ("runs/second/seed-1", f"{runs}/first/seed-0"),
        ("prepared for 1", f"{runs}/second/seed-0"),
        ("runs/third/seed-0", f"{runs}/second/seed-0"),
    ]
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert 0 < next(share for words, share in heard if words == "preparing") < 1


def test_plans_that_use_each_other_cannot_be_trained() -> None:
    with pytest.raises(CuelloError, match="'a' uses b: needed plans of the same study that do not use it in turn"):
        turns_of([StudyPlan("a", {}, uses={"data": "b"}), StudyPlan("b", {}, uses={"data": "a"})])
    with pytest.raises(CuelloError, match="'a' uses nothing"):
        turns_of([StudyPlan("a", {}, uses={"data": "nothing"})])


def no_training(words: str, share: float) -> None:
    raise AssertionError(f"began to train: {words}")
