"""The part of an image that a report enlarges, and that it shows the right pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from cuello.jobs.images.enlargements import SMALLEST_DETAIL, detail_of, enlargement_grid
from cuello.jobs.images.evaluation import OURS
from cuello.jobs.images.examples import Example
from cuello.report import figures

METHODS = ["nearest", "bicubic", OURS]
LABELS = {"nearest": "nearest neighbour", "bicubic": "bicubic", OURS: "espcn"}


def example(size: tuple[int, int], wrong: tuple[slice, slice], channels: int = 3) -> Example:
    """A grey target that is white in one place, where bicubic has grey; the network and the input are black."""
    clean = np.full((*size, channels), 0.5, np.float32)
    bicubic = clean.copy()
    clean[wrong] = 1
    black = np.zeros_like(clean)
    scores = dict.fromkeys(METHODS, 20.0)
    return Example("typical", "a.png", clean, {"nearest": black, "bicubic": bicubic, OURS: black}, scores)


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("size", [(64, 96), (48, 48), (17, 300), (256, 200)])
def test_the_part_holds_what_bicubic_gets_wrong(size: tuple[int, int]) -> None:
    wrong = (slice(size[0] - 9, size[0] - 4), slice(8, 13))
    top, left, side = detail_of(example(size, wrong))
    assert side == max(SMALLEST_DETAIL, 3 * min(size) // 8)
    assert 0 <= top <= size[0] - side
    assert 0 <= left <= size[1] - side
    assert top <= wrong[0].start
    assert wrong[0].stop <= top + side
    assert left <= wrong[1].start
    assert wrong[1].stop <= left + side


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (16, 16), (5, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_shown_as_far_as_they_go(size: tuple[int, int], channels: int) -> None:
    one = example(size, (slice(0, 1), slice(0, 1)), channels)
    top, left, side = detail_of(one)
    assert side == min(*size, SMALLEST_DETAIL)
    assert top + side <= size[0]
    assert left + side <= size[1]
    decoded(enlargement_grid([one], METHODS, LABELS, figures.LIGHT))


def test_without_bicubic_the_part_is_where_the_target_varies() -> None:
    one = example((64, 64), (slice(50, 55), slice(3, 8)))
    alone = Example(one.title, one.name, one.clean, {OURS: one.restored[OURS]}, {OURS: 20.0})
    top, left, side = detail_of(alone)
    assert top <= 50 <= top + side - 5
    assert left <= 3 <= left + side - 5
    decoded(enlargement_grid([alone], [OURS], {OURS: "espcn"}, figures.DARK))


@pytest.mark.parametrize("theme", figures.THEMES, ids=lambda theme: theme.name)
def test_a_row_an_image_and_five_columns(theme: figures.Theme) -> None:
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 1
    green, blue, grey = red[..., [1, 0, 2]], red[..., [1, 2, 0]], np.full_like(red, 0.5)
    scores = dict.fromkeys(METHODS, 20.0)
    one = Example("best", "a.png", grey, {"nearest": red, "bicubic": green, OURS: blue}, scores)
    pixels = decoded(enlargement_grid([one, one], METHODS, LABELS, theme)).astype(int)
    middle = pixels[pixels.shape[0] // 4 + 20]
    centres = [middle[round((column + 0.5) / 5 * pixels.shape[1])].tolist() for column in range(5)]
    assert centres == [[127] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255], [127] * 3]
    assert "#" + bytes(decoded(enlargement_grid([one], METHODS, LABELS, theme))[0, 0]).hex() == theme.background
