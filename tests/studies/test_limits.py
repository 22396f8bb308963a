"""The best decoder: by hand, against a slow enumeration of noisy images, and its laws."""

import math
from collections import defaultdict
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.data.synthetic import glyphs
from cuello.studies.glyphs import limits
from cuello.studies.glyphs.limits import Limit, bayes_decode, bayes_limit, distances, half_patterns


def flipped(image: tuple[int, ...], places: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 - value if place in places else value for place, value in enumerate(image))


def slow_limit(prototypes: list[tuple[int, ...]], flips: int) -> tuple[Fraction, Fraction]:
    """Wrong pixels and mean squared error by Bayes' rule over noisy images, in whole numbers.

    For every noisy image, the prototypes that gave it, each with its number of ways; a pixel that is white with
    probability q is wrong with probability min(q, 1 - q), and has the squared error q (1 - q).
    """
    pixels = len(prototypes[0])
    sources = defaultdict(list)
    for prototype in prototypes:
        for places in combinations(range(pixels), flips):
            sources[flipped(prototype, places)].append(prototype)
    wrong = squared = Fraction(0)
    for candidates in sources.values():
        for values in zip(*candidates, strict=True):
            q = Fraction(sum(values), len(values))
            wrong += min(q, 1 - q) * len(values)
            squared += q * (1 - q) * len(values)
    patterns = math.comb(pixels, flips)
    return wrong / patterns, squared / patterns / (len(prototypes) * pixels)


@st.composite
def problems(draw):
    pixels = draw(st.integers(1, 9))
    images = st.lists(st.integers(0, 1), min_size=pixels, max_size=pixels).map(tuple)
    prototypes = draw(st.lists(images, min_size=1, max_size=12))  # the same twice is allowed
    return prototypes, draw(st.integers(0, pixels))


class TestLimit:
    def test_two_images_that_one_flip_makes_one(self):
        # 000 and 011. One flip, three places. Of 000: 100 is its alone; 010 and 001 are as near to 011.
        # There two pixels have q = 1/2, in two of three patterns. So for both images together wrong is
        # 2 · 2/3 · 2 · 1/2, and the MSE 2/3 · 2/3 · 1/4: so many patterns, pixels of three, squared error.
        limit = bayes_limit([[0, 0, 0], [0, 1, 1]], 1)
        assert (limit.wrong, limit.mse, limit.total, limit.share) == pytest.approx((4 / 3, 1 / 9, 6, 2 / 9))

    @pytest.mark.parametrize(
        ("prototypes", "flips"),
        [
            ([[0, 0, 0], [0, 0, 1]], 1),  # an odd distance
            ([[0, 0, 0, 0], [1, 1, 1, 1]], 1),  # one too large
            ([[0, 1], [0, 1], [1, 1]], 0),  # only equal images
        ],
    )
    def test_what_is_never_confused(self, prototypes, flips):
        assert bayes_limit(prototypes, flips) == Limit(0, 0, sum(map(len, prototypes)))

    def test_a_majority_decides(self):
        # 00, 11 and 11 again: both noisy images, 01 and 10, speak for white at 2 : 1. Only 00 is got wrong.
        limit = bayes_limit([[0, 0], [1, 1], [1, 1]], 1)
        assert (limit.wrong, limit.mse) == pytest.approx((2, (4 / 9 + 1 / 9 + 1 / 9) / 3))

    @given(problems())
    @settings(deadline=None, max_examples=80)
    def test_the_same_as_by_enumerating_noisy_images(self, problem):
        prototypes, flips = problem
        limit = bayes_limit(prototypes, flips)
        assert (limit.wrong, limit.mse) == pytest.approx(tuple(map(float, slow_limit(prototypes, flips))), abs=1e-12)
        assert limit.total == len(prototypes) * len(prototypes[0])

    @given(problems(), st.integers(0, 2**31))
    @settings(deadline=None, max_examples=30)
    def test_neither_order_nor_inversion_nor_flipping_the_others_matters(self, problem, seed):
        images, flips = np.array(problem[0]), problem[1]
        random = np.random.default_rng(seed)
        count, pixels = images.shape
        other = images[random.permutation(count)][:, random.permutation(pixels)] ^ random.integers(0, 2, pixels)
        a, b = bayes_limit(images, flips), bayes_limit(other, pixels - flips)
        assert (a.wrong, a.mse) == pytest.approx((b.wrong, b.mse), abs=1e-12)

    def test_small_blocks_and_many_prototypes_give_the_same(self, monkeypatch):
        """Over 64 others: more than a word holds."""
        images = (np.arange(128)[:, None] >> np.arange(7)) & 1
        rows = [tuple(row) for row in images.tolist()]
        monkeypatch.setattr(limits, "COLUMNS", 3)
        monkeypatch.setattr(limits, "BLOCK", 600)
        limit = bayes_limit(images, 3)
        assert (limit.wrong, limit.mse) == pytest.approx(tuple(map(float, slow_limit(rows, 3))))

    def test_three_flips_of_the_characters(self):
        limit = bayes_limit(glyphs().images.reshape(32, 35) // 255, 3)
        assert limit.total == 1120
        assert limit.wrong == pytest.approx(0.57, abs=0.01)

    def test_a_simulation_comes_to_the_same(self):
        prototypes = glyphs().images.reshape(32, 35) // 255
        random = np.random.default_rng(0)
        limit = bayes_limit(prototypes, 4)
        draws = np.tile(prototypes, (200, 1))
        hit = random.random(draws.shape).argsort(1) < 4
        best = bayes_decode(draws ^ hit, prototypes, 4)
        wrong = ((best >= 0.5) != draws).reshape(200, -1).sum(1)
        squared = np.square(best - draws).reshape(200, -1).mean(1)
        for found, expected in (wrong, limit.wrong), (squared, limit.mse):
            assert found.mean() == pytest.approx(expected, abs=4 * found.std() / math.sqrt(200))

    def test_progress_goes_up_to_the_end(self):
        told = []
        bayes_limit(np.eye(6, dtype=int), 2, lambda event: told.append((event.stage, event.done, event.total)))
        assert {(doing, total) for doing, _, total in told} == {("prototypes × patterns", 6 * 15)}
        assert told == sorted(told)
        assert told[-1][1] == 6 * 15

    def test_bounds_are_said(self):
        assert bayes_limit(np.eye(64, dtype=int)[:2], 1).total == 128
        with pytest.raises(CuelloError, match=r"got prototypes of 65 pixels, needed at most 64\. Use smaller"):
            bayes_limit(np.eye(65, dtype=int), 1)
        with pytest.raises(CuelloError, match=r"8 flips of 64 pixels, 4,426,165,368 patterns, needed at most 1,0"):
            bayes_limit(np.eye(64, dtype=int), 8)
        with pytest.raises(CuelloError, match=r"got 4 flips, needed 0 to 3"):
            bayes_limit([[0, 0, 1]], 4)


class TestDecode:
    def test_the_mean_of_those_that_fit(self):
        prototypes = [[0, 0, 0], [0, 1, 1], [1, 1, 1]]
        got = bayes_decode(np.array([[0, 1, 0], [1, 0, 0], [1, 0, 1]]), np.array(prototypes), 1)
        # 010 is one pixel from 000 and 011; 100 from 000 only; 101 from 111 only.
        np.testing.assert_array_equal(got, [[0, 0.5, 0.5], [0, 0, 0], [1, 1, 1]])
        assert got.dtype == np.float64

    def test_floats_and_booleans_are_taken(self):
        np.testing.assert_array_equal(bayes_decode(np.array([[1.0, 0.0]]), np.array([[True, True]]), 1), [[1, 1]])

    def test_an_image_that_cannot_come_from_any_prototype(self):
        # 001 is one pixel from both; 110 is two from both.
        with pytest.raises(CuelloError, match=r"image 1 of 2: got distances of 2 to 2 .*prototypes with 1 pixels inv"):
            bayes_decode([[0, 0, 1], [1, 1, 0]], [[0, 0, 0], [0, 1, 1]], 1)

    @given(problems(), st.integers(0, 2**31))
    @settings(deadline=None, max_examples=50)
    def test_what_was_inverted_always_fits(self, problem, seed):
        prototypes, flips = np.array(problem[0]), problem[1]
        hit = np.random.default_rng(seed).random(prototypes.shape).argsort(1).argsort(1) < flips
        got = bayes_decode(prototypes ^ hit, prototypes, flips)
        assert got.shape == prototypes.shape
        assert (got.min() >= 0) & (got.max() <= 1)
        alone = (distances(prototypes ^ hit, prototypes) == flips).sum(1) == 1
        np.testing.assert_array_equal(got[alone], prototypes[alone])


class TestDistances:
    def test_by_hand(self):
        got = distances([[0, 0, 1], [1, 1, 1]], [[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        assert got.tolist() == [[1, 1, 2], [3, 1, 0]]

    @pytest.mark.parametrize(
        ("images", "prototypes", "message"),
        [
            ([[0, 2]], [[0, 1]], "images: got values other than 0 and 1. Threshold them"),
            ([[0, 1]], [[0, 0.5]], "prototypes: got values other than 0 and 1"),
            ([[0, 1]], [[0, float("nan")]], "prototypes: got values other than 0 and 1"),
            ([0, 1], [[0, 1]], r"images: got an array of shape \(2,\), needed \(images, pixels\)"),
            (np.zeros((0, 2)), [[0, 1]], r"shape \(0, 2\), needed \(images, pixels\), neither zero"),
            ([[0, 1, 1]], [[0, 1]], "got images of 3 pixels and prototypes of 2, needed the same number. Flatten both"),
        ],
    )
    def test_anything_else_is_refused(self, images, prototypes, message):
        with pytest.raises(CuelloError, match=message):
            distances(images, prototypes)


@given(st.integers(1, 10), st.data())
def test_half_patterns_make_every_pattern_once(pixels, data):
    flips = data.draw(st.integers(0, pixels))
    made = [tuple(sorted([*a, *b])) for first, second in half_patterns(pixels, flips) for a in first for b in second]
    assert sorted(made) == sorted(combinations(range(pixels), flips))
