"""What full transparency hides: it changes nothing that is seen, and comes back."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cuello.data.alpha import covered, where_seen
from cuello.data.form import Form
from cuello.data.picture import four_channels, read_picture


@given(
    arrays(np.uint8, (5, 6, 3)), arrays(np.uint8, (5, 6, 3)), arrays(np.uint8, (5, 6, 1), elements=st.integers(0, 1))
)
def test_hidden_colours_decide_nothing(pixels: np.ndarray, garbage: np.ndarray, alpha: np.ndarray) -> None:
    spoiled = np.where(alpha == 0, garbage, pixels)
    shown = covered(spoiled, alpha)
    if alpha.any():
        assert np.array_equal(shown, covered(pixels, alpha))
    assert np.array_equal(shown[alpha[..., 0] > 0], pixels[alpha[..., 0] > 0])
    assert np.array_equal(where_seen(lambda image: image, spoiled, alpha, larger=alpha), spoiled)


def test_hidden_pixels_take_the_nearest_visible_colour() -> None:
    pixels = np.array([[10, 90, 91, 92, 50]], np.uint8)[..., None]
    alpha = np.array([[255, 0, 0, 0, 1]], np.uint8)[..., None]
    assert covered(pixels, alpha)[0, [0, 1, 3, 4], 0].tolist() == [10, 10, 50, 50]


def test_what_was_hidden_is_repeated_in_a_larger_result() -> None:
    pixels, alpha = np.array([[[1], [2]]]), np.array([[[0], [9]]])
    larger = np.array([[0, 0, 9, 0], [0, 5, 9, 9]])[..., None]
    result = where_seen(lambda image: np.kron(image, np.full((2, 2, 1), 10)), pixels, alpha, larger=larger)
    assert result[..., 0].tolist() == [[1, 1, 20, 2], [1, 20, 20, 20]]


def test_training_images_do_not_show_what_is_hidden(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[1, 1] = (200, 0, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(Form(3, np.dtype(np.uint8)).arranged(picture), np.full((2, 2, 3), (10, 20, 30)))
    assert np.array_equal(four_channels(picture).pixels, pixels)  # four channels are no transparency
