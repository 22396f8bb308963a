"""report.html: one file that loads nothing, with the verdict, the table, the command."""

import base64
import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import cuello
from cuello.inference.model import Model
from cuello.jobs.images.evaluation import OURS
from cuello.report.run_sections import facts
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.scoring.baselines import BASELINES
from cuello.scoring.metrics import METRICS
from cuello.work.train import repeat_command


class Page(HTMLParser):
    """Collects tags with their attributes, and the text in each kind of tag."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "source", "link"):
            self.open.append(tag)
            self.words.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag, f"{tag} is closed in the wrong place"

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            self.words[tag][-1] += data


@pytest.fixture(scope="module")
def text(trained: Run) -> str:
    return trained.report_path.read_text()


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_well_formed(page: Page, text: str) -> None:
    assert page.open == []
    assert text.startswith("<!doctype html>")
    assert ("meta", {"charset": "utf-8"}) in page.tags
    assert "{{" not in text
    assert "{%" not in text


def test_nothing_is_loaded_from_elsewhere(page: Page, text: str) -> None:
    loading = [
        value
        for tag, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "srcset", "href", "data", "poster", "action")
    ]
    assert loading
    assert all(str(value).startswith("data:image/png;base64,") for value in loading)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import", text)
    assert "http://" not in text
    assert "https://" not in text


def test_every_picture_is_embedded_for_day_and_night(page: Page, trained: Run) -> None:
    images = [str(attributes["src"]) for tag, attributes in page.tags if tag == "img"]
    dark = [str(attributes["srcset"]) for tag, attributes in page.tags if tag == "source"]
    names = sorted(path.stem for path in trained.figures.iterdir())
    assert len(images) == len(dark) == len(names)
    embedded = {base64.b64decode(image.partition(",")[2]) for image in images}
    assert embedded == {path.read_bytes() for path in trained.figures.iterdir()}
    assert not set(images) & set(dark)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")


def test_the_verdict_is_there(page: Page, text: str, trained: Run) -> None:
    verdict = trained.metrics["verdict"]
    assert verdict in page.words["section"][0]
    good = re.search(r'<section class="verdict( good)?">', text)
    assert good is not None
    assert bool(good[1]) is verdict.startswith("Beats")


def test_the_table_has_every_method_best_first(page: Page, trained: Run) -> None:
    metrics = trained.metrics
    rows = [row for row in page.words["tr"] if "×3" in row or any(spec.label in row for spec in BASELINES)]
    for spec in BASELINES:
        row = metrics["methods"].get(spec.name)
        if row is not None:
            shown = f"{row['psnr']:.{METRICS['psnr'].digits}f}"
            assert any(spec.label in text and shown in text for text in rows), spec.name
    ours = metrics["methods"][OURS]
    assert any(ours["label"] in row and f"{ours['psnr']:.2f}" in row for row in page.words["tr"])
    order = sorted(metrics["methods"].values(), key=lambda row: -row["psnr"])
    first_table = page.words["tbody"][0]
    places = [first_table.index(row["label"]) for row in order]
    assert places == sorted(places)


def test_the_best_of_each_metric_is_marked(text: str, trained: Run) -> None:
    marked = re.findall(r'<td class="right best">([^<]*)</td>', text)
    methods = trained.metrics["methods"].values()
    expected = []
    for name in ("mse", "psnr", "ssim"):
        pick = max if METRICS[name].higher_is_better else min
        expected.append(f"{pick(row[name] for row in methods):.{METRICS[name].digits}f}")
    assert sorted(marked) == sorted(expected)


def test_the_sweep_and_the_gains_are_there(page: Page, trained: Run) -> None:
    assert any("PSNR, dB at level" in row and "0.1" in row and "0.4" in row for row in page.words["tr"])
    gain = trained.metrics["gain_in_psnr"]["median-3"]
    assert any(f"{gain['mean']:+.2f}" in row and "too few images" in row for row in page.words["tr"])


def test_the_command_and_every_setting_are_there(page: Page, trained: Run) -> None:
    assert page.words["pre"] == [repeat_command(trained)]
    settings = trained.config.model_dump(exclude_none=True)
    assert set(settings) <= set(page.words["dt"])
    assert {str(value) for value in settings.values()} <= set(page.words["dd"])


def test_names_are_escaped(copied: Run, images: Path) -> None:
    nasty = copied.path.with_name("<script>alert(1)</script>".replace("/", "_"))
    copied.path.rename(nasty)
    cuello.evaluate(nasty, images, baselines=["input"])
    text = (nasty / "report.html").read_text()
    assert "<script>" not in text
    assert html.escape(nasty.name) in text


def test_a_run_without_its_environment_is_reported_too(copied: Run) -> None:
    copied.environment_path.unlink()
    cuello.evaluate(copied.path, baselines=["median-3"])
    page = Page(copied.report_path.read_text())
    assert page.open == []
    assert json.loads(copied.metrics_path.read_text())["methods"].keys() == {"median-3", OURS}


def test_facts(model: Model, trained: Run, make_image: Callable[..., np.ndarray]) -> None:
    found = dict(facts(model, trained.history))
    assert found["trainable parameters"] == "2,793"
    assert found["receptive field"] == "13 pixels"
    assert found["epochs"] == "2"
    assert found["training speed"].endswith("images per second")
    record = EpochRecord(1, 0.1, 0.1, 0.1, 10, 1e-3, 5.0, 4.0, 6000)
    assert dict(facts(model, [record, record]))["training speed"] == "1,500 images per second"
