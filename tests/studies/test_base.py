"""A study: trainings made once, resumed, and told in one report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.progress import OnProgress, Progress
from cuello.report.page import Section
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.studies import base
from cuello.studies.base import Story, Study, StudyOutcome, StudyPlan, run_study, turns_of
from cuello.studies.tables import Column
from cuello.studies.tables import table as table_of

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
    columns = [
        Column("name", str),
        Column("n>", lambda name: getattr(outcome.best(name, lambda record: record.validation_loss), "count", None)),
        Column("loss>", lambda name: outcome.at(name, 2, lambda record: record.loss), ".9f"),
        Column("later>", lambda name: outcome.at(name, 3, lambda record: record.loss)),
    ]
    return Story("It <works>.", [Section("What came, of it", parts=[table_of(outcome.runs, columns)])])


TOY = Study(name="toy", summary="two small networks", data=("photos", "train400"), plans=plans, story=story)


HEARD: list[tuple[str, float]] = []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study") / "toy"
    found = run_study(TOY, None, place, repeats=2, watch=lambda event: HEARD.append((event.stage, event.share)))
    assert (found.report, found.verdict) == (place / "report.html", "It <works>.")
    return place


def test_every_seed_of_every_plan_is_a_run_and_the_time_is_that_of_all_epochs(folder: Path) -> None:
    runs = sorted(path.parent.relative_to(folder / "runs").as_posix() for path in folder.rglob("config.toml"))
    assert runs == ["more/seed-0", "more/seed-1", "single/seed-0", "single/seed-1"]
    assert all(len(Run(folder / "runs" / run).history) == 2 for run in runs)
    singles = [Run(folder / "runs" / run) for run in runs[2:]]
    outcome = StudyOutcome("photos", folder, {"single": singles}, 1, lambda event: None)
    assert outcome.seconds == pytest.approx(sum(record.seconds for run in singles for record in run.history))
    assert outcome.seconds > 0


def test_the_report_and_the_tables_say_the_same(table, page: str) -> None:
    rows = table("what-came-of-it")
    assert rows[0] == ["name", "n", "loss", "later"]
    assert [[*row[:2], row[3]] for row in rows[1:]] == [["single", "2", "–"], ["more", "2", "–"]]
    for said in ("It &lt;works&gt;.", "two small networks; on photos, 2 seeds", *(row[2] for row in rows[1:])):
        assert said in page


@pytest.mark.usefixtures("folder")
def test_the_share_that_is_done_rises_to_the_whole() -> None:
    shares = [share for _, share in HEARD]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, pytest.approx(1))
    assert any("0 of 4 trained  more, seed 0 epoch 2 of 2, loss" in words for words, _ in HEARD), "the costly first"
    assert [words for words, _ in HEARD][-2:] == ["4 of 4 trained", "evaluating"]
    costs = {plan.name: base.cost(plan) for plan in plans("photos")}
    half = next(share for words, share in HEARD if words.startswith("2 of 4"))
    assert half == pytest.approx(costs["more"] / sum(costs.values()))


def test_again_nothing_is_trained(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()}
    assert before
    run_study(TOY, "photos", folder, repeats=2)
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_stopped_goes_on_as_if_it_had_never_been(folder: Path, tmp_path: Path, workers: int) -> None:
    def stop(event: Progress) -> None:
        if "more epoch 2 of 2" in event.stage if workers == 1 else event.share > 0:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="The same command goes on"):
        run_study(TOY, "photos", tmp_path / "toy", workers=workers, watch=stop)
    assert not (tmp_path / "toy" / "report.html").exists()
    if workers == 1:
        assert len(Run(tmp_path / "toy" / "runs" / "more" / "seed-0").history) == 1
    run_study(TOY, "photos", tmp_path / "toy", workers=workers)
    for name in ("single", "more"):
        ended, whole = (load_artefact(place / "runs" / name / "seed-0") for place in (tmp_path / "toy", folder))
        assert all(torch.equal(weights, whole.weights[key]) for key, weights in ended.weights.items())


def test_a_mistake_in_a_training_is_told_from_its_process(tmp_path: Path) -> None:
    wrong = [StudyPlan("a", {**SETTINGS, "model": "conv-single", "noise": "nonsense:1"})]
    with pytest.raises(CuelloError, match="nonsense"):
        run_study(replace(TOY, plans=lambda data: wrong), "photos", tmp_path / "toy", workers=2)


@pytest.mark.parametrize(
    ("data", "options", "held", "message"),
    [
        ("moon", {}, {}, "made for the data photos or train400, got 'moon'"),
        (Path("moon"), {}, {}, "got 'moon'"),
        (torch.zeros(2, 1, 4, 4), {}, {}, "got Tensor"),
        ("photos", {"repeats": 0}, {}, "repeats: got 0"),
        ("photos", {"workers": 0}, {}, "workers: got 0"),
        ("photos", {}, {"thesis.tex": "mine"}, "holds no study"),
        ("photos", {}, {"study.json": '{"study": "toy", "data": "train400"}'}, "'toy' on 'train400', this is 'toy' on"),
        ("photos", {}, {"study.json": "{"}, r"study\.json is damaged"),
    ],
)
def test_only_its_own_folder_and_data(data: Any, options, held: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, text in held.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(CuelloError, match=message):
        run_study(TOY, data, tmp_path, **options)
    assert {path.name for path in tmp_path.iterdir()} == set(held)


def test_a_run_of_other_settings_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    def changed(data: str) -> Sequence[StudyPlan]:
        single, more = plans(data)
        return [replace(more, settings={**more.settings, "learning_rate": 0.5}), single]

    only_more = replace(TOY, plans=lambda data: plans(data)[1:])
    run_study(replace(only_more, story=lambda outcome: Story("", [])), "photos", tmp_path / "toy")
    with pytest.raises(CuelloError, match=r"more/seed-0 was trained with learning_rate"):
        run_study(replace(TOY, plans=changed), "photos", tmp_path / "toy", watch=lambda event: pytest.fail(event.stage))


def test_a_training_that_uses_another_s_run_comes_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stood in for training: what is asked for, in which order; `target` is a setting that is a path."""
    asked: list[tuple[str, str | None]] = []

    def stand_in(path: Path, settings: dict[str, Any], **options: Any) -> None:
        asked.append((path.relative_to(tmp_path).as_posix(), settings.get("target")))
        path.mkdir(parents=True)

    def prepared(configs: Sequence[TrainConfig], workers: int, tell: OnProgress) -> None:
        asked.append((f"prepared for {len(configs)}", configs[0].target))
        tell(Progress("preparing", 1))

    monkeypatch.setattr("cuello.work.plans.train_or_resume", stand_in)
    paired = {**SETTINGS, "noise": None, "model": "conv-single"}
    first = StudyPlan("first", {**SETTINGS, "model": "conv-single", "epochs": 1}, most_repeats=1)
    second = StudyPlan("second", paired, uses={"target": "first"})
    third = StudyPlan("third", paired, most_repeats=1, uses={"target": "second"})
    heard: list[tuple[str, float]] = []
    toy = replace(TOY, plans=lambda data: [third, second, first], story=lambda o: Story("", []), prepare=prepared)
    run_study(toy, None, tmp_path, repeats=2, watch=lambda event: heard.append((event.stage, event.share)))
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
