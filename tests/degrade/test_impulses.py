"""How many pixels are hit, which, and what they become."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.degrade.base import Range
from cuello.degrade.impulses import Invert, Missing, MissingBlocks, SaltPepper, smallest

shares = st.floats(0, 1)
seeds = st.integers(0, 2**31)


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def within_binomial_bounds(hits: int, places: int, share: float) -> bool:
    """Six standard deviations, and 15 more for rare hits: by Bernstein's inequality chance fails once in millions."""
    return abs(hits - places * share) <= 6 * (places * share * (1 - share)) ** 0.5 + 15


def test_smallest_marks_so_many_of_each_row():
    scores = torch.tensor([[0.3, 0.1, 0.2], [0.5, 0.9, 0.7]])
    assert smallest(scores, torch.tensor([2, 1])).tolist() == [[False, True, True], [True, False, False]]
    assert not smallest(scores, torch.tensor([0, 0])).any()
    assert smallest(scores, torch.tensor([3, 9])).all()


def test_smallest_counts_equal_scores_exactly():
    assert smallest(torch.zeros(2, 10), torch.tensor([4, 7])).sum(1).tolist() == [4, 7]


class TestSaltPepper:
    @settings(max_examples=40, deadline=None)
    @given(shares, shares, st.sampled_from(["pixel", "channel"]), seeds)
    def test_independent_draws_hit_the_share_they_should(self, amount, salt, per, seed):
        grey = torch.full((2, 3, 64, 64), 0.5)
        noisy = SaltPepper(amount=amount, salt=salt, per=per)(grey, random(seed))
        if per == "pixel":
            assert torch.equal(noisy, noisy[:, :1].expand_as(noisy))
            noisy = noisy[:, :1]
        assert set(noisy.unique().tolist()) <= {0.0, 0.5, 1.0}
        white, hit = int((noisy == 1).sum()), int((noisy != 0.5).sum())
        assert within_binomial_bounds(hit, noisy.numel(), amount)
        assert within_binomial_bounds(white, hit, salt)

    @settings(max_examples=40, deadline=None)
    @given(shares, shares, st.sampled_from(["pixel", "channel"]), seeds)
    def test_exact_draws_hit_that_many_in_every_image(self, amount, salt, per, seed):
        grey = torch.full((3, 3, 11, 13), 0.5)
        noisy = SaltPepper(amount=amount, salt=salt, per=per, draws="exact")(grey, random(seed))
        if per == "pixel":
            assert torch.equal(noisy, noisy[:, :1].expand_as(noisy))
            noisy = noisy[:, :1]
        places = noisy[0].numel()
        for image in noisy:
            hit, white = int((image != 0.5).sum()), int((image == 1).sum())
            assert abs(hit - amount * places) <= 0.5 + 1e-3  # the nearest whole number; either one at a half
            assert abs(white - salt * hit) <= 0.5 + 1e-3

    def test_exact_counts_by_hand(self):
        noisy = SaltPepper(amount=0.2, salt=0.25, draws="exact")(torch.full((5, 1, 10, 10), 0.5), random(0))
        assert (noisy == 1).flatten(1).sum(1).tolist() == [5] * 5
        assert (noisy == 0).flatten(1).sum(1).tolist() == [15] * 5

    def test_exact_draws_choose_every_place_equally_often(self):
        noisy = SaltPepper(amount=0.25, draws="exact")(torch.full((4000, 1, 2, 4), 0.5), random(0))
        often = (noisy != 0.5).sum(0).flatten()
        assert (often - 1000).abs().max() < 6 * (4000 * 0.25 * 0.75) ** 0.5

    def test_per_channel_hits_channels_apart(self):
        noisy = SaltPepper(amount=0.5, per="channel")(torch.full((1, 3, 32, 32), 0.5), random(0))
        hit = noisy[0] != 0.5
        all_three = int(hit.all(0).sum())
        assert within_binomial_bounds(all_three, 32 * 32, 0.125)

    def test_pixels_that_are_not_hit_stay_as_they_are(self):
        images = 0.25 + 0.5 * torch.rand(2, 3, 16, 16, generator=random(1))
        noisy = SaltPepper(amount=0.4)(images, random(0))
        untouched = (noisy != 0) & (noisy != 1)
        assert untouched.any()
        assert torch.equal(noisy[untouched], images[untouched])

    def test_nothing_and_everything(self):
        images = torch.full((1, 1, 8, 8), 0.5)
        assert torch.equal(SaltPepper(amount=0)(images, random(0)), images)
        assert torch.equal(SaltPepper(amount=1, salt=1)(images, random(0)), torch.ones_like(images))
        assert torch.equal(SaltPepper(amount=1, salt=0)(images, random(0)), torch.zeros_like(images))

    def test_a_range_gives_every_image_its_own_amount(self):
        noisy = SaltPepper(amount=Range(0, 1), draws="exact")(torch.full((200, 1, 10, 10), 0.5), random(0))
        hits = (noisy != 0.5).flatten(1).sum(1)
        assert hits.min() < 10
        assert hits.max() > 90
        assert abs(hits.float().mean().item() - 50) < 6 * 100 / 12**0.5 / 200**0.5


class TestInvert:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 35), st.sampled_from([1, 3]), seeds)
    def test_exactly_so_many_pixels_become_their_opposite(self, count, channels, seed):
        images = torch.rand(3, channels, 5, 7, generator=random(seed)) * 0.4
        noisy = Invert(count=count)(images, random(seed))
        hit = (noisy != images).all(1)
        assert hit.flatten(1).sum(1).tolist() == [count] * 3
        assert torch.equal(noisy, torch.where(hit[:, None], 1 - images, images))

    def test_a_range_includes_both_ends(self):
        noisy = Invert(count=Range(1, 3))(torch.zeros(300, 1, 3, 3), random(0))
        assert set(noisy.flatten(1).sum(1).tolist()) == {1, 2, 3}

    def test_more_pixels_than_there_are_is_an_error_with_both_numbers(self):
        with pytest.raises(CuelloError, match=r"10 pixels were asked for, but an image has 3 × 3 = 9\. Ask for fewer"):
            Invert(count=10)(torch.zeros(1, 1, 3, 3), random(0))


class TestMissing:
    @settings(max_examples=25, deadline=None)
    @given(shares, st.sampled_from(["pixel", "channel"]), seeds)
    def test_the_share_that_is_missing_holds_the_constant(self, amount, per, seed):
        images = torch.full((2, 3, 64, 64), 0.5)
        noisy = Missing(amount=amount, fill=0.75, per=per)(images, random(seed))
        if per == "pixel":
            assert torch.equal(noisy, noisy[:, :1].expand_as(noisy))
            noisy = noisy[:, :1]
        assert set(noisy.unique().tolist()) <= {0.5, 0.75}
        assert within_binomial_bounds(int((noisy == 0.75).sum()), noisy.numel(), amount)


class TestMissingBlocks:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 20), st.integers(4, 12), st.integers(4, 12), seeds)
    def test_one_block_is_a_square_inside_the_image(self, size, height, width, seed):
        noisy = MissingBlocks(count=1, size=size, fill=1)(torch.zeros(1, 3, height, width), random(seed))
        rows, columns = noisy[0, 0].any(1).nonzero().flatten(), noisy[0, 0].any(0).nonzero().flatten()
        assert len(rows) == min(size, height)
        assert len(columns) == min(size, width)
        assert int(rows[-1] - rows[0]) == len(rows) - 1
        assert int(columns[-1] - columns[0]) == len(columns) - 1
        assert noisy.sum() == 3 * len(rows) * len(columns)

    def test_a_block_comes_to_every_place_equally_often(self):
        noisy = MissingBlocks(count=1, size=3, fill=1)(torch.zeros(4000, 1, 4, 4), random(0))
        corners = noisy[:, 0, [0, 0, 3, 3], [0, 3, 0, 3]].sum(0)  # each of the four places covers one corner
        assert corners.sum() == 4000
        assert (corners - 1000).abs().max() < 6 * (4000 * 0.25 * 0.75) ** 0.5

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 6), st.integers(1, 5), seeds)
    def test_blocks_cover_at_most_their_areas_and_at_least_one(self, count, size, seed):
        noisy = MissingBlocks(count=count, size=size, fill=1)(torch.zeros(2, 1, 16, 16), random(seed))
        covered = noisy.flatten(1).sum(1)
        assert (covered <= count * size**2).all()
        assert (covered >= min(count, 1) * size**2).all()

    def test_ranges_are_kept_apart_in_a_batch(self):
        noisy = MissingBlocks(count=Range(0, 1), size=Range(1, 2), fill=1)(torch.zeros(200, 1, 8, 8), random(0))
        assert set(noisy.flatten(1).sum(1).tolist()) == {0, 1, 4}
