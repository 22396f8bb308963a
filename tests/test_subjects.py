"""What is explained: a classifier that is opened, its class, and images that fit."""

import numpy as np

from cuello.data.images import Images
from cuello.subjects import class_number, groups


def test_names_go_before_numbers() -> None:
    assert [class_number(one, ["1", "2"]) for one in ("1", "0", 1, "predicted")] == [0, 0, 1, "predicted"]
    assert class_number("7", ()) == 7


def test_groups_hold_neighbours_of_one_size() -> None:
    arrays = [np.zeros((side, 10, 1), np.uint8) for side in (10, 10, 20, 10, 10, 10)]
    images = Images("x", arrays, list("abcdef"))
    assert groups(images, [0, 1, 2, 3, 4, 5], 64, 200) == [[0, 1], [2], [3, 4], [5]]
    assert groups(images, [1, 3], 64, 200) == [[1, 3]]
    assert groups(images, [0, 1, 3], 1, 200) == [[0], [1], [3]]
