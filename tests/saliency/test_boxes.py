import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.saliency.boxes import filling, make_boxes, padded, spans


def test_the_last_box_is_cut_off_by_the_edge() -> None:
    found = spans(7, 3, 3, "height")
    assert (found.starts, found.ends) == ((0, 3, 6), (3, 6, 7))
    assert found.covered().sum(1).tolist() == [1] * 7


def test_a_box_as_large_as_the_image_lies_once_whatever_the_stride() -> None:
    assert spans(4, 4, 9, "width").starts == (0,)


def test_masks_are_true_under_the_boxes() -> None:
    boxes = make_boxes((3, 4), (2, 3), 1)
    assert len(boxes) == 4
    assert boxes.masks(torch.tensor([3]))[0, 0].tolist() == [
        [False] * 4,
        [False, True, True, True],
        [False, True, True, True],
    ]


@pytest.mark.parametrize(
    ("size", "box", "stride", "said"),
    [
        ((8, 8), 9, 1, "got 9 pixels of height for images of 8"),
        ((8, 8), (3, 0), 1, "got 0 pixels of width"),
        ((8, 8), 3, 4, "got 4 for a box of 3 pixels"),
        ((8, 8), 3, 0, "got 0 for a box of 3 pixels"),
        ((8, 8), 2.5, 1, "got 2.5"),
        ((8, 8), (1, 2, 3), 1, "got (1, 2, 3)"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(size: tuple[int, int], box: object, stride: object, said: str) -> None:
    with pytest.raises(CuelloError) as error:
        make_boxes(size, box, stride)  # pyright: ignore[reportArgumentType]
    assert said in str(error.value)


def test_fills() -> None:
    images = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]]])
    assert filling(images, 0.25, padding=1, sigma=3.0).unique().tolist() == [0.25]
    assert filling(images, 0.25, padding=1, sigma=3.0).shape == (1, 2, 4, 4)
    assert filling(images, "mean", padding=1, sigma=3.0)[0, :, 0, 0].tolist() == [0.5, 0.75]
    blurred = filling(torch.ones(1, 1, 5, 5), "blur", padding=0, sigma=2.0)
    torch.testing.assert_close(blurred, torch.ones(1, 1, 5, 5))


def test_blur_is_scipys() -> None:
    """SciPy: scipy.ndimage.gaussian_filter(x, 1, mode="nearest") of one bright pixel, the centre and its neighbour."""
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    blurred = filling(images, "blur", padding=0, sigma=1.0)
    assert blurred[0, 0, 4, 4].item() == pytest.approx(0.15924, abs=1e-4)
    assert blurred[0, 0, 4, 5].item() == pytest.approx(0.09658, abs=1e-4)


@pytest.mark.parametrize("fill", ["grey", None, True])
def test_fills_that_are_none_are_refused(fill: object) -> None:
    with pytest.raises(CuelloError, match="fill: got"):
        filling(torch.ones(1, 1, 2, 2), fill, padding=0, sigma=3.0)  # pyright: ignore[reportArgumentType]


def test_a_blur_without_width_is_refused() -> None:
    with pytest.raises(CuelloError, match="sigma: got 0"):
        filling(torch.ones(1, 1, 2, 2), "blur", padding=0, sigma=0)


def test_padding_is_of_zeros() -> None:
    assert padded(torch.ones(1, 1, 1, 1), 1)[0, 0].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
