"""Runs and models as Python shows them: five lines, a small page, curves on axes of the caller's."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.runs.look import WIDEST, History, inline, lines, scores_table

RECORDS = History(
    EpochRecord(epoch, loss=1 / epoch, validation_loss=loss, validation_mse=loss, validation_psnr=20.0 + epoch,
                learning_rate=1e-3, seconds=2.0, training_seconds=1.5, images=10)
    for epoch, loss in enumerate((0.5, 0.25, 0.375), 1)
)  # fmt: skip


def picture_in(page: str) -> Image.Image:
    found = re.search(r"data:image/png;base64,([^']+)'", page)
    assert found is not None
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_a_run_is_five_lines(trained: Run) -> None:
    first, job, images, network, verdict = repr(trained).splitlines()
    assert first == f"Run({str(trained.path)!r})"
    assert job == "  job      denoise, noise salt-pepper:0.1..0.5"
    assert images == f"  images   {trained.config.data}"
    best = min(trained.history, key=lambda one: one.validation_loss)
    assert network.startswith(f"  network  conv-8-16-8: epoch {best.epoch} of 2 is the best, validation loss ")
    assert network.endswith(f"PSNR {best.validation_psnr:.2f} dB")
    assert verdict == f"  verdict  {trained.metrics['verdict']}"


def test_a_run_is_opened_by_text_or_path(trained: Run) -> None:
    assert Run(str(trained.path)) == trained == Run(trained)  # type: ignore[arg-type]
    assert Run("~/runs").path == Path.home() / "runs"  # type: ignore[arg-type]


def test_a_run_that_is_not_there_or_damaged_is_shown_all_the_same(copied: Run, tmp_path: Path) -> None:
    assert "is not a run directory" in repr(Run(tmp_path))
    copied.metrics_path.write_text("{", "utf-8")
    assert repr(copied).endswith("verdict  not evaluated yet")
    copied.history_path.write_text("nonsense", "utf-8")
    assert "is damaged" in repr(copied)
    assert "is damaged" in copied._repr_html_()


def test_a_page_has_what_it_is_scores_and_examples(trained: Run) -> None:
    page = trained._repr_html_()
    psnr = trained.metrics["methods"]["network"]["psnr"]
    assert "denoise, noise salt-pepper:0.1..0.5" in page
    assert f"{psnr:.2f}</td>" in page
    assert "adaptive median" in page
    shown, whole = picture_in(page), Image.open(trained.figures / "examples.png")
    assert shown.width == WIDEST < whole.width
    assert abs(shown.height / shown.width - whole.height / whole.width) < 0.01


def test_a_model_is_five_lines_and_knows_its_run(trained: Run, copied: Run) -> None:
    model = cuello.load(copied)
    first, job, images, parameters, where = repr(model).splitlines()
    assert first == "Model conv-8-16-8"
    assert job == "  job         denoise, noise salt-pepper:0.1..0.5"
    assert images == "  images      colour images of any size"
    assert parameters == "  parameters  2,815"
    assert where.startswith(f"  trained     on {trained.config.data}; validation PSNR ")
    assert "adaptive median" in model._repr_html_()
    assert "adaptive median" in cuello.load(copied.model_path)._repr_html_()
    copied.model_path.unlink()
    assert "adaptive median" not in model._repr_html_(), "the scores there may be of another network"


def test_models_without_a_run() -> None:
    model = cuello.load("upscale-x2")
    assert len(repr(model).splitlines()) == 5
    assert "grey images of any size, gives 2 times as many pixels per side" in repr(model)
    assert "<img" not in model._repr_html_()
    assert "<img" not in Model(model.artefact, model.network)._repr_html_()


def test_names_are_text_in_pages() -> None:
    table = scores_table({"methods": {"network": {"label": "<i>", "psnr": 20.5}, "other": {"psnr": None}}})
    assert "&lt;i&gt;" in table
    assert "20.50" in table
    assert scores_table({"methods": 3}) == scores_table({}) == ""
    assert lines("a", [("b", "c"), ("long", "d")]) == "a\n  b     c\n  long  d"


def test_a_small_picture_stays_as_it_is() -> None:
    stream = io.BytesIO()
    Image.new("L", (30, 20)).save(stream, "png")
    assert picture_in(inline(stream.getvalue())).size == (30, 20)


def test_a_history_on_the_callers_axes() -> None:
    axes = Figure().subplots()
    assert RECORDS.plot(axes) is axes
    training, validation, dot = axes.lines
    assert np.asarray(training.get_ydata()).tolist() == [1, 1 / 2, 1 / 3]
    assert np.asarray(validation.get_ydata()).tolist() == [0.5, 0.25, 0.375]
    assert (np.asarray(dot.get_xdata()).item(), np.asarray(dot.get_ydata()).item()) == (2, 0.25)
    assert axes.get_yscale() == "log"
    other = Figure().subplots()
    RECORDS.plot(other, what="validation_psnr")
    assert np.asarray(other.lines[0].get_ydata()).tolist() == [21, 22, 23]
    with pytest.raises(CuelloError, match=r"what: got 'psnr', needed one of epoch, loss"):
        RECORDS.plot(axes, what="psnr")
    with pytest.raises(CuelloError, match="no epoch has ended"):
        History().plot()


def test_figures_of_its_own_are_shown_by_notebooks(trained: Run) -> None:
    figure = trained.plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "validation PSNR, dB"]
    with Image.open(io.BytesIO(figure._repr_png_())) as shown:
        assert shown.format == "PNG"
    assert len(trained.plot(what="seconds").axes) == 1


def test_examples_are_those_of_the_report(trained: Run, series: Path) -> None:
    pixels = np.asarray(Image.open(trained.figures / "examples.png").convert("RGB"))
    axes = Figure().subplots()
    assert trained.examples(axes) is axes
    assert np.array_equal(np.asarray(axes.images[0].get_array()), pixels)
    own = trained.examples()
    with Image.open(io.BytesIO(own._repr_png_())) as shown:
        assert abs(shown.width - pixels.shape[1]) <= 1
    with pytest.raises(CuelloError, match="no pictures of examples yet: cuello evaluate"):
        Run(series / "seed-0").examples()


def test_a_report_is_its_path_and_its_page(trained: Run, series: Path) -> None:
    report = trained.report
    assert Path(report).read_text("utf-8").startswith("<!")
    assert repr(report) == str(trained.report_path)
    assert report._repr_html_().startswith('<iframe srcdoc="&lt;!')
    with pytest.raises(CuelloError, match="has no report yet"):
        _ = Run(series / "seed-0").report


def test_a_history_is_a_table() -> None:
    table = RECORDS._repr_html_()
    assert table.count("<tr") == 4
    assert "<tr style=font-weight:bold><td>2</td>" in table
    long = History(RECORDS[:1] * 50)._repr_html_()
    assert "… 30 more epochs" in long
    assert "no epoch" in History()._repr_html_()


def test_styles_are_the_callers(trained: Run) -> None:
    with mpl.rc_context({"axes.titlesize": 21.0}):
        figure: Any = trained.plot()
        assert figure.axes[0].title.get_fontsize() == 21
