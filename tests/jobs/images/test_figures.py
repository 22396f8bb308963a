"""The pictures of a report: real PNGs in the page's colours, whatever is missing."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cuello.data.images import Images
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images import figures as drawn
from cuello.jobs.images.evaluated import evaluated_images
from cuello.jobs.images.evaluation import OURS, Evaluation, evaluate_model
from cuello.jobs.images.examples import Example, choose_rows, make_examples
from cuello.jobs.images.pairs import Task
from cuello.report import figures
from cuello.runs.history import EpochRecord

TASK = Task("denoise", parse("gaussian:25"))


def decoded(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG")
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def has(colour: str, pixels: np.ndarray) -> bool:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((np.abs(pixels.astype(int) - wanted).max(axis=-1) <= 12).any())


@pytest.fixture(scope="module")
def evaluation(model: Model, make_image: Callable[..., np.ndarray]) -> Evaluation:
    images = Images("few", [make_image(n, 16, 16) for n in range(8)], [f"{n}.png" for n in range(8)])
    return evaluate_model(model, TASK, evaluated_images(images), baselines=["input", "median-3"], sweep=(10, 50))


def history(epochs: int) -> list[EpochRecord]:
    return [EpochRecord(n, 1 / n, 1.1 / n, 1 / n, 20.0 + n, 1e-3, 1.0, 0.9, 10) for n in range(1, epochs + 1)]


def learning_curves(epochs: int, theme: figures.Theme) -> bytes:
    return figures.learning_curves(history(epochs), theme, "Loss", "PSNR", lambda record: record.validation_psnr)


@pytest.mark.parametrize("theme", figures.THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("name", ["loss", "one epoch", "sweep", "bars", "gains"])
def test_a_picture_has_the_pages_background_and_our_colour(
    evaluation: Evaluation, theme: figures.Theme, name: str
) -> None:
    png = {
        "loss": lambda: learning_curves(4, theme),
        "one epoch": lambda: learning_curves(1, theme),
        "sweep": lambda: drawn.sweep_curves(evaluation, theme),
        "bars": lambda: drawn.method_bars(evaluation, theme),
        "gains": lambda: drawn.gain_histogram(evaluation, "median-3", theme),
    }[name]()
    pixels = decoded(png)
    assert pixels.shape[1] == pytest.approx(8.4 * 144, abs=2)
    assert "#" + bytes(pixels[0, 0]).hex() == theme.background
    assert name == "gains" or has(theme.ours, pixels), "the histogram is slightly transparent"
    assert has(theme.text, pixels)


@pytest.mark.parametrize("methods", [["input", "median-3", OURS], ["median-3", OURS], [OURS]])
def test_examples_are_drawn_whatever_methods_there_are(
    evaluation: Evaluation, model: Model, methods: list[str]
) -> None:
    examples = make_examples(model, TASK, evaluation, methods, choose_rows(evaluation), 0)
    labels = {name: label for name, label in evaluation.labels.items() if name in methods}
    for theme in figures.THEMES:
        pixels = decoded(drawn.example_grid(examples, methods, labels, theme))
        assert "#" + bytes(pixels[0, 0]).hex() == theme.background


def test_an_example_shows_its_pixels() -> None:
    red, half = np.zeros((8, 8, 3), np.float32), np.full((8, 8, 3), 0.5, np.float32)
    red[..., 0] = 1
    example = Example("typical", "a.png", red, {"input": half, OURS: red}, {"input": 1.0, OURS: 99.0})
    pixels = decoded(drawn.example_grid([example], [OURS], {OURS: "ours"}, figures.LIGHT))
    assert has("#ff0000", pixels)
    assert has("#808080", pixels)
    assert has("#000000", pixels), "no error is left"
    grey = Example("typical", "a.png", half[..., :1], {"input": half[..., :1], OURS: half[..., :1]}, example.psnr)
    assert has("#808080", decoded(drawn.example_grid([grey], [OURS], {OURS: "ours"}, figures.DARK)))


def test_figures_do_not_pile_up(evaluation: Evaluation) -> None:
    import matplotlib.pyplot as plt

    drawn.method_bars(evaluation, figures.LIGHT)
    assert plt.get_fignums() == []

    def fails() -> None:
        with figures.drawing(figures.LIGHT, 1, 1):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match=r"inside"):
        fails()
    assert plt.get_fignums() == []


def test_both_themes_are_drawn_and_the_light_one_is_saved(tmp_path: Path) -> None:
    pictures = figures.save_both(tmp_path / "figures", "name", lambda theme: theme.name.encode())
    assert pictures == {"light": b"light", "dark": b"dark"}
    assert (tmp_path / "figures" / "name.png").read_bytes() == b"light"
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["name.png"]


def test_every_method_has_a_colour_and_ours_its_own(evaluation: Evaluation) -> None:
    found = drawn.colours(evaluation, figures.DARK)
    assert set(found) == {"input", "median-3", OURS}
    assert found[OURS] == figures.DARK.ours
    assert len(set(found.values())) == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [("short.png", "short.png"), ("x" * 24, "x" * 24), ("a" * 20 + "b" * 20, "a" * 15 + "…" + "b" * 8)],
)
def test_long_names_are_shortened(text: str, shown: str) -> None:
    assert figures.shorten(text) == shown
    assert len(figures.shorten(text)) <= 24
