"""A split is disjoint, complete, by image, and the same every time."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.data.split import split

counts, shares, seeds = st.integers(3, 300), st.floats(0, 0.45), st.integers(0, 1000)


@given(counts, shares, shares, seeds)
def test_parts_are_disjoint_complete_sorted_and_repeatable(count, validation, test, seed):
    assume(count > max(1, round(validation * count)) + max(1, round(test * count)))
    parts = split(count, validation, test, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    for part in parts:
        assert part.tolist() == sorted(part.tolist())
    for part, again in zip(parts, split(count, validation, test, seed), strict=True):
        assert part.tolist() == again.tolist()


@given(counts, shares, shares, seeds)
def test_shares_are_met_to_half_an_image_and_never_empty(count, validation, test, seed):
    assume(count > max(1, round(validation * count)) + max(1, round(test * count)))
    parts = split(count, validation, test, seed)
    for part, share in ((parts.validation, validation), (parts.test, test)):
        if share == 0:
            assert len(part) == 0
        else:
            assert len(part) == 1 or abs(len(part) - share * count) <= 0.5 + 1e-9
            assert len(part) >= 1
    assert len(parts.train) >= 1


@given(st.integers(10, 300), st.floats(0, 0.45), seeds, st.data())
def test_what_a_data_set_keeps_for_testing_is_the_test_part_and_never_trained_on(count, validation, seed, data):
    held_out = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count // 2, unique=True)))
    parts = split(count, validation, 0.9, seed, held_out)  # the share for testing is not used then
    assert parts.test.tolist() == sorted(held_out.tolist())
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))


def test_the_seed_decides_who_goes_where():
    first, second = split(100, 0.2, 0.1, seed=0), split(100, 0.2, 0.1, seed=1)
    assert first.validation.tolist() != second.validation.tolist()
    assert len(first.validation) == len(second.validation) == 20


def test_every_image_is_equally_likely_to_validate():
    often = np.zeros(10)
    for seed in range(2000):
        often[split(10, 0.2, 0.1, seed).validation] += 1
    assert np.abs(often - 400).max() < 6 * (2000 * 0.2 * 0.8) ** 0.5


@pytest.mark.parametrize(
    ("count", "validation", "test", "needed"),
    [(1, 0.2, 0, 1), (2, 0.2, 0.1, 2), (0, 0.2, 0.1, 2), (10, 0.9, 0.1, 10), (10, 0.5, 0.6, 11)],
)
def test_too_few_images_say_how_many_are_needed_and_how_to_do_with_fewer(count, validation, test, needed):
    words = f"got {count} images?, needed more than {needed}, to have some for training and validation"
    remedy = r"\. Give more images, cut a large one into several files, or lower validation or test"
    with pytest.raises(CuelloError, match=f"{words}{' and testing' if test else ''}{remedy}"):
        split(count, validation, test)


def test_too_few_images_beside_those_held_out():
    with pytest.raises(CuelloError, match="got 1 image, needed more than 1"):
        split(3, 0.2, 0, held_out=np.array([1, 2]))


@given(st.integers(4, 100), st.integers(2, 6), st.floats(0, 0.45), seeds)
def test_folds_test_every_image_once_and_hide_it_from_training(count, folds, validation, seed):
    assume(folds <= count)
    sizes = []
    tested = []
    for part in range(1, folds + 1):
        try:
            parts = split(count, validation, 0.15, seed, fold=(part, folds))
        except CuelloError:
            assume(False)
        assert sorted(np.concatenate(parts).tolist()) == list(range(count))
        assert len(parts.validation) == (max(1, round(validation * (count - len(parts.test)))) if validation else 0)
        tested += parts.test.tolist()
        sizes.append(len(parts.test))
    assert sorted(tested) == list(range(count))
    assert max(sizes) - min(sizes) <= 1
